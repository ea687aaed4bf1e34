//! A service on a store of its own, and a client that holds every answer against the
//! OpenAPI document.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_admin::settings::CreateStore;
use countersign_admin::{Authority, Caller, Context, OsRandom, run};
use countersign_core::secret::Argon2Params;
use countersign_core::store::Settings;
use countersign_sqlite::SqliteStore;
use countersign_store::AnyStore;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::app::App;
use crate::call::{Who, now};
use crate::patience::Patience;
use crate::serve::{Options, Told, bind};

/// A service.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Where it tells what is counted to whoever asks.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) app: Arc<App>,
    folder: TempDir,
    tell: mpsc::Sender<Told>,
    thread: Option<JoinHandle<()>>,
    document: Value,
}

impl Server {
    /// One that tests share. Each has a tenant of its own, and asks for nothing else.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One whose every request is the platform's.
    pub(crate) fn start() -> Self {
        let server = Self::start_with(|_| {});
        server.become_somebody(Some(Authority::Platform));
        server
    }

    /// Makes the key file, without which nothing is sealed or signed.
    pub(crate) fn make_key_file(&self) {
        let mut key = self.store_file().into_os_string();
        key.push(".key");
        std::fs::write(key, "0a".repeat(32) + "\n").unwrap();
    }

    /// One to which nobody is known.
    pub(crate) fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        Self::start_with_patience(Patience::default(), change)
    }

    /// The same, with so much patience.
    pub(crate) fn start_with_patience(
        patience: Patience,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STORE);
        let settings = Settings {
            argon2: Argon2Params::CHEAPEST,
            ..Settings::default()
        };
        let mut store = SqliteStore::create(&path, &settings).unwrap();
        let mut context = Context {
            now: now(),
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        run(&mut store, &mut context, &CreateStore(settings)).unwrap();
        let mut options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            hosts: Vec::new(),
            tls: None,
            allow_plain: false,
            trusted_proxies: Vec::new(),
            metrics_listen: None,
            metrics_tenants: false,
            hooks_listen: None,
            doors: Vec::new(),
        };
        change(&mut options);
        let mut bound = bind(options).unwrap();
        bound.patience = patience;
        let address = bound.addresses().unwrap()[0];
        let metrics = bound.metrics.as_ref();
        let metrics = metrics.map(|it| it.local_addr().unwrap());
        let used = AnyStore::File(SqliteStore::open(&path).unwrap());
        let (tell, told) = mpsc::channel(1);
        let (begun, beginning) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let begin = |answerer: &crate::app::Answerer| {
                begun.send(Arc::clone(answerer.app())).unwrap();
                Ok(())
            };
            bound.run(used, told, begin).unwrap();
        });
        let app = beginning.recv().unwrap();
        let document = crate::openapi::describe(&crate::rest::routes());
        Self {
            address,
            metrics,
            app,
            folder,
            tell,
            thread: Some(thread),
            document,
        }
    }

    /// The store's file.
    pub(crate) fn store_file(&self) -> PathBuf {
        self.folder.path().join(STORE)
    }

    /// From now on every request counts as sent by such a caller.
    pub(crate) fn become_somebody(&self, authority: Option<Authority>) {
        let who = authority.map(|authority| Who {
            actor: "http:test".into(),
            name: "test".into(),
            authority,
        });
        *self.app.everybody.lock().unwrap() = who;
    }

    /// The store, as others see it.
    pub(crate) fn store(&self) -> AnyStore {
        AnyStore::File(SqliteStore::open(self.folder.path().join(STORE)).unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None, &[])
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, Some(body), &[])
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Reply {
        self.ask("PATCH", path, Some(body), &[])
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path, None, &[])
    }

    /// Sends a request, and checks that the answer is one that the document knows.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let reply = self.ask_at_door(method, path, body, headers);
        self.check(method, path, &reply);
        reply
    }

    /// Sends a request to a door, of which the document says nothing.
    pub(crate) fn ask_at_door(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        let kind = [("Content-Type", "application/json")];
        let kind = kind.iter().filter(|_| !body.is_empty());
        for (name, value) in headers.iter().chain(kind) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" || !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let request = format!("{head}Connection: close\r\n\r\n{body}");
        self.send(request.as_bytes()).expect("an answer")
    }

    /// The secret of a new API token of the platform.
    pub(crate) fn platform_token(&self) -> String {
        self.become_somebody(Some(Authority::Platform));
        let token = self.post("/api/v1/tokens", json!({ "scope": "platform" }));
        self.become_somebody(None);
        token.with(201).body["secret"].as_str().unwrap().to_owned()
    }

    /// Sends bytes, and reads what comes back until the other end closes.
    pub(crate) fn send(&self, request: &[u8]) -> Option<Reply> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // The service may have answered and closed before it has read all.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Reply::parse(&bytes)
    }

    /// Checks that the document knows an answer.
    fn check(&self, method: &str, path: &str, reply: &Reply) {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let Some(operation) = self.operation(method, path) else {
            assert!(
                [404, 405].contains(&reply.status),
                "{method} {path}: {reply:?}"
            );
            return;
        };
        let described = &operation["responses"][reply.status.to_string()];
        assert!(
            described.is_object(),
            "{method} {path} is not to answer {reply:?}"
        );
        let kind = reply.header("content-type");
        match (described["content"].as_object(), kind) {
            (None, None) => assert_eq!(reply.body, Value::Null),
            (Some(content), Some(kind)) => {
                let schema = &content.get(kind).expect(kind)["schema"];
                let text = Value::from(&*reply.text);
                let body = [&text, &reply.body][usize::from(kind.ends_with("json"))];
                let problem = self.mismatch(schema, body);
                assert_eq!(problem, None, "{method} {path}: {body}");
            }
            (_, kind) => panic!("{method} {path} is not to answer with {kind:?}"),
        }
    }

    /// The operation that a request is.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let template = self.template(method, path)?;
        self.document["paths"][template].get(method.to_lowercase())
    }

    /// The path of the route that a request takes.
    pub(crate) fn template(&self, method: &str, path: &str) -> Option<&str> {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let paths = self.document["paths"].as_object()?;
        let method = method.to_lowercase();
        let mut templates = paths.iter();
        let mut templates = templates
            .by_ref()
            .filter(|(template, methods)| admits(template, path) && methods.get(&method).is_some());
        // A path that leaves nothing open goes first.
        let exact = paths.get_key_value(path);
        let exact = exact.filter(|(_, methods)| methods.get(&method).is_some());
        let (template, _) = exact.or_else(|| templates.next())?;
        Some(template)
    }

    /// Where a value is not what a schema says.
    fn mismatch(&self, schema: &Value, value: &Value) -> Option<String> {
        let not = |what: &str| Some(format!("{value} is not {what}"));
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.strip_prefix("#/components/schemas/").unwrap();
            return self.mismatch(&self.document["components"]["schemas"][name], value);
        }
        if let Some(several) = schema["anyOf"].as_array() {
            let found: Option<Vec<_>> = several.iter().map(|it| self.mismatch(it, value)).collect();
            return found.map(|them| them.join("; "));
        }
        match schema["type"].as_str() {
            None => None,
            Some("null") if value.is_null() => None,
            Some("boolean") if value.is_boolean() => None,
            Some("integer") if value.is_i64() || value.is_u64() => None,
            Some("string") if value.is_string() => {
                let words = schema["enum"].as_array()?;
                (!words.contains(value)).then(|| format!("{value} is none of {words:?}"))
            }
            Some("array") if value.is_array() => {
                let mut items = value.as_array()?.iter();
                items.find_map(|item| self.mismatch(&schema["items"], item))
            }
            Some("object") if value.is_object() => self.object_mismatch(schema, value.as_object()?),
            Some(kind) => not(kind),
        }
    }

    fn object_mismatch(&self, schema: &Value, object: &Map<String, Value>) -> Option<String> {
        let nothing = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&nothing);
        for required in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(required.as_str()?) {
                return Some(format!("{required} is missing"));
            }
        }
        object.iter().find_map(|(key, value)| {
            let found = match (properties.get(key), &schema["additionalProperties"]) {
                (Some(schema), _) => self.mismatch(schema, value),
                (None, Value::Object(_)) => self.mismatch(&schema["additionalProperties"], value),
                (None, Value::Bool(false)) => Some("not to be there".into()),
                (None, _) => None,
            };
            found.map(|found| format!("{key}: {found}"))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.tell.blocking_send(Told::End);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Says whether a path is one that a route has, with `{…}` for the parts left open.
pub(crate) fn admits(template: &str, path: &str) -> bool {
    let [template, path] = [template, path].map(|it| it.split('/').collect::<Vec<_>>());
    let is_same = |(part, given): (&&str, &&str)| part.starts_with('{') || part == given;
    template.len() == path.len() && template.iter().zip(&path).all(is_same)
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = BTreeMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let values: &mut String = headers.entry(name.to_lowercase()).or_default();
            if !values.is_empty() {
                values.push('\n');
            }
            values.push_str(value);
        }
        let text = String::from_utf8_lossy(bytes.get(end.saturating_add(4)..).unwrap_or_default())
            .into_owned();
        Some(Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The kind of the problem that it tells.
    pub(crate) fn kind(&self) -> &str {
        self.body["kind"].as_str().unwrap_or_default()
    }

    /// The same, which must have this status.
    #[track_caller]
    pub(crate) fn with(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The same, which must be a problem of this kind.
    #[track_caller]
    pub(crate) fn is(self, kind: &str) -> Self {
        assert_eq!(self.kind(), kind, "{self:?}");
        assert_eq!(self.body["status"], json!(self.status));
        self
    }

    /// The names of what a listing holds.
    pub(crate) fn items(&self, key: &str) -> Vec<String> {
        let items = self.body["items"]
            .as_array()
            .unwrap_or_else(|| panic!("{self:?}"));
        let names = items
            .iter()
            .map(|item| item[key].as_str().unwrap().to_owned());
        names.collect()
    }
}

const STORE: &str = "store.db";
