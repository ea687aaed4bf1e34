//! rmqtt with its plugin `rmqtt-auth-http` and nothing else, as `docs/hooks.md` has it.
//!
//! ```sh
//! countersign-rmqtt FOLDER PORT
//! ```
//!
//! The folder has `rmqtt-auth-http.toml`. MQTT is at the port, on this machine alone.

use std::env;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use rmqtt::context::ServerContext;
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(folder), Some(port), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: countersign-rmqtt FOLDER PORT".into());
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    Ok(Runtime::new()?.block_on(serve(folder, address))?)
}

async fn serve(folder: String, address: SocketAddr) -> rmqtt::Result<()> {
    let context = ServerContext::new()
        .plugins_config_dir(folder)
        .build()
        .await;
    rmqtt_auth_http::register(&context, true, false).await?;
    let listener = Builder::new()
        .name("tests")
        .laddr(address)
        // Whoever starts it may hold the port for it.
        .reuseaddr(Some(true))
        .allow_anonymous(false)
        .bind()?
        .tcp()?;
    MqttServer::new(context)
        .listener(listener)
        .build()
        .run()
        .await
}
