/*
 * The smallest host in C: makes a store with one device if there is none, opens
 * a gate, lets the device in, asks what it may do, suspends it, and ends its
 * session when the gate says so.
 *
 *   cc embed.c $(pkg-config --cflags --libs countersign) -o embed
 *   ./embed countersign.db
 */

#include <countersign.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Says what went wrong last, and ends. */
static void must(countersign_status status, const char *what) {
  char line[512];
  if (status == COUNTERSIGN_OK)
    return;
  countersign_last_message(line, sizeof line, NULL);
  fprintf(stderr, "%s: %s (status %d)\n", what, line, (int)status);
  exit(1);
}

/* Called from the gate's threads: makes the poll() below return. */
static void wake(void *user) {
  eventfd_write(*(const int *)user, 1);
}

/* A store with a tenant `acme`, and in it the device `dev1`. Its secret is
 * shown this once, so it is copied for the CONNECT below. */
static void provision(const char *path, char *secret, size_t capacity) {
  countersign_store *store;
  countersign_issued *issued;
  countersign_issued_fields fields;
  const countersign_bytes absent = {NULL, 0};

  must(countersign_store_create(countersign_text(path), countersign_text("embed")), "create");
  must(countersign_store_open(countersign_text(path), countersign_text("embed"), &store), "open");
  must(countersign_tenant_create(store, countersign_text("acme")), "tenant");
  must(countersign_credential_create(store, countersign_text("acme"), countersign_text("dev1"),
                                     absent, absent, &issued),
       "credential");
  must(countersign_issued_get(issued, &fields), "issued");
  snprintf(secret, capacity, "%s", fields.secret.data);
  printf("made %s\n", fields.username.data);
  countersign_issued_free(issued);
  countersign_store_close(store);
}

/* May the device publish here? */
static void ask(countersign_gate *gate, const char *topic) {
  countersign_use use = {0};
  countersign_verdict verdict;

  use.size = sizeof use;
  use.handle = 1;
  use.client_id = countersign_text("sensor-1");
  use.username = countersign_text("dev1@acme");
  use.topic = countersign_text(topic);
  use.action = COUNTERSIGN_PUBLISH;
  use.connected = 1;
  must(countersign_gate_check(gate, &use, &verdict), "check");
  printf("publish %s: %s\n", topic,
         verdict.allowed ? "allowed" : countersign_reason_text((uint32_t)verdict.reason));
}

/* Sleeps until the gate has something to say, for at most 100 ms, and does it.
 * Answers how many sessions ended. */
static int serve(countersign_gate *gate, int wake_fd) {
  struct pollfd woken = {wake_fd, POLLIN, 0};
  countersign_events *events;
  countersign_event event;
  eventfd_t count;
  int ended = 0;

  if (poll(&woken, 1, 100) == 1)
    eventfd_read(wake_fd, &count);
  must(countersign_gate_poll(gate, &events), "poll");
  while (countersign_events_next(events, &event) == COUNTERSIGN_OK) {
    if (event.line.data)
      printf("log: %s\n", event.line.data);
    if (event.kind == COUNTERSIGN_EVENT_KICK) {
      /* Here a broker closes the connection. */
      countersign_gate_disconnected(gate, event.handle);
      ended++;
    }
  }
  countersign_events_free(events);
  return ended;
}

int main(int count, char **arguments) {
  int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  countersign_options *options;
  countersign_store *store;
  countersign_gate *gate;
  countersign_connect_facts facts = {0};
  countersign_decision decision;
  char secret[128] = "";

  if (count != 2 || wake_fd < 0) {
    fprintf(stderr, "usage: embed STORE\n");
    return 2;
  }
  provision(arguments[1], secret, sizeof secret);

  must(countersign_options_new(&options), "options");
  must(countersign_options_set(options, countersign_text("store"), countersign_text(arguments[1])),
       "store");
  must(countersign_options_set(options, countersign_text("broker"), countersign_text("embed-c")),
       "broker");
  must(countersign_gate_open(options, wake, &wake_fd, &gate), "gate");
  countersign_options_free(options);

  facts.size = sizeof facts;
  facts.handle = 1;
  facts.client_id = countersign_text("sensor-1");
  facts.username = countersign_text("dev1@acme");
  facts.password = countersign_text(secret);
  facts.address = countersign_text("192.0.2.1");
  facts.protocol = 4;
  facts.flags = COUNTERSIGN_CLEAN_START;
  must(countersign_gate_connect(gate, &facts, &decision), "connect");
  if (decision.outcome != COUNTERSIGN_OUTCOME_ADMITTED) {
    printf("refused: %s\n", countersign_reason_text((uint32_t)decision.reason));
    return 1;
  }
  printf("admitted %s\n", decision.username.data);

  ask(gate, "acme/hello");
  ask(gate, "other/hello");

  /* Whoever does this, from whichever process: the session ends. */
  must(countersign_store_open(countersign_text(arguments[1]), countersign_text("embed"), &store),
       "open");
  must(countersign_credential_suspend(store, countersign_text("dev1@acme")), "suspend");
  countersign_store_close(store);
  while (serve(gate, wake_fd) == 0)
    ;

  must(countersign_gate_connect(gate, &facts, &decision), "connect");
  printf("again: %s\n", decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED
                            ? "admitted"
                            : countersign_reason_text((uint32_t)decision.reason));
  must(countersign_gate_close(gate), "close");
  close(wake_fd);
  return 0;
}
