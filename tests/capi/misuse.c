/*
 * Every way to use the library wrongly that a program survives: each is a
 * status, every answer is "no", and neither Valgrind nor AddressSanitizer finds
 * anything.
 *
 *   misuse STORE        STORE must not exist
 */

#include "check.h"
#include <countersign.h>

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static const countersign_bytes ABSENT = {NULL, 0};
static int wakes;

static void wake(void *user) {
  __atomic_add_fetch((int *)user, 1, __ATOMIC_SEQ_CST);
}

static countersign_bytes bytes(const char *data, size_t length) {
  countersign_bytes made;
  made.data = data;
  made.length = length;
  return made;
}

/* The method that gates speak. */
static const countersign_bytes METHOD = {"COUNTERSIGN-TOTP", 16};

static countersign_options *options_for(const char *path, const char *broker) {
  countersign_options *options;
  CHECK(countersign_options_new(&options) == COUNTERSIGN_OK);
  CHECK(countersign_options_set(options, countersign_text("store"), countersign_text(path)) ==
        COUNTERSIGN_OK);
  CHECK(countersign_options_set(options, countersign_text("broker"), countersign_text(broker)) ==
        COUNTERSIGN_OK);
  return options;
}

static countersign_connect_facts good_facts(const char *secret) {
  countersign_connect_facts facts = {0};
  facts.size = sizeof facts;
  facts.handle = 7;
  facts.client_id = countersign_text("c");
  facts.username = countersign_text("dev1@acme");
  facts.password = countersign_text(secret);
  facts.protocol = 4;
  facts.flags = COUNTERSIGN_CLEAN_START;
  return facts;
}

static countersign_use good_use(void) {
  countersign_use use = {0};
  use.size = sizeof use;
  use.handle = 7;
  use.client_id = countersign_text("c");
  use.username = countersign_text("dev1@acme");
  use.topic = countersign_text("acme/x");
  use.action = COUNTERSIGN_PUBLISH;
  use.connected = 1;
  return use;
}

static countersign_use good_command(void) {
  countersign_use use = good_use();
  use.topic = countersign_text(countersign_session_topic());
  return use;
}

/* How a connection came that a certificate vouches for. */
static countersign_origin good_origin(void) {
  countersign_origin origin = {0};
  origin.size = sizeof origin;
  origin.address = countersign_text("192.0.2.1");
  origin.protocol = 5;
  return origin;
}

/* Connects until the store is free for it: another thread of the gate may be
 * writing, and Valgrind makes that slow. */
static countersign_status connect_in_time(countersign_gate *gate,
                                          const countersign_connect_facts *facts,
                                          countersign_decision *decision_out) {
  countersign_status status;
  do {
    usleep(1000);
    status = countersign_gate_connect(gate, facts, decision_out);
  } while (status == COUNTERSIGN_OK && decision_out->reason == COUNTERSIGN_REASON_STORE_BUSY);
  return status;
}

/* NULL wherever a pointer goes; what is answered besides is "no". */
static void nulls(const char *path, countersign_gate *gate, const char *secret) {
  countersign_gate *no_gate = (countersign_gate *)0x10;
  countersign_store *no_store = (countersign_store *)0x10;
  countersign_events *no_events = (countersign_events *)0x10;
  countersign_issued *no_issued = (countersign_issued *)0x10;
  countersign_connect_facts facts = good_facts(secret);
  countersign_use use = good_use();
  countersign_decision decision;
  countersign_verdict verdict;
  countersign_event event;
  countersign_issued_fields fields;
  uint32_t known;

  CHECK(countersign_options_new(NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_options_set(NULL, countersign_text("a"), countersign_text("b")) ==
        COUNTERSIGN_NULL);
  CHECK(countersign_options_free(NULL) == COUNTERSIGN_OK);
  CHECK(countersign_gate_open(NULL, NULL, NULL, &no_gate) == COUNTERSIGN_NULL && !no_gate);
  CHECK(countersign_gate_open(NULL, NULL, NULL, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_close(NULL) == COUNTERSIGN_OK);
  CHECK(countersign_gate_change_options(NULL, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_change_options(gate, NULL) == COUNTERSIGN_NULL);

  memset(&decision, 0x55, sizeof decision);
  CHECK(countersign_gate_connect(NULL, &facts, &decision) == COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && decision.code == 0x87);
  CHECK(decision.reason == COUNTERSIGN_REASON_CALL_FAILED && !decision.username.data);
  memset(&decision, 0x55, sizeof decision);
  CHECK(countersign_gate_connect(gate, NULL, &decision) == COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  CHECK(countersign_gate_connect(gate, &facts, NULL) == COUNTERSIGN_NULL);
  facts.client_id = ABSENT;
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts = good_facts(secret);
  facts.password = bytes(NULL, 5);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);

  memset(&verdict, 0x55, sizeof verdict);
  CHECK(countersign_gate_check(NULL, &use, &verdict) == COUNTERSIGN_NULL && !verdict.allowed);
  verdict.allowed = 1;
  CHECK(countersign_gate_check(gate, NULL, &verdict) == COUNTERSIGN_NULL && !verdict.allowed);
  CHECK(countersign_gate_check(gate, &use, NULL) == COUNTERSIGN_NULL);
  use.topic = ABSENT;
  verdict.allowed = 1;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_NULL && !verdict.allowed);

  memset(&decision, 0x55, sizeof decision);
  facts = good_facts(secret);
  CHECK(countersign_gate_connect_enhanced(NULL, &facts, METHOD, ABSENT, &decision) ==
        COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && !decision.challenge.data);
  memset(&decision, 0x55, sizeof decision);
  CHECK(countersign_gate_connect_enhanced(gate, NULL, METHOD, ABSENT, &decision) ==
        COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  CHECK(countersign_gate_connect_enhanced(gate, &facts, ABSENT, ABSENT, &decision) ==
        COUNTERSIGN_NULL);
  CHECK(countersign_gate_connect_enhanced(gate, &facts, METHOD, bytes(NULL, 5), &decision) ==
        COUNTERSIGN_NULL);
  CHECK(countersign_gate_connect_enhanced(gate, &facts, METHOD, ABSENT, NULL) ==
        COUNTERSIGN_NULL);
  memset(&decision, 0x55, sizeof decision);
  CHECK(countersign_gate_resume(NULL, 7, facts.client_id, ABSENT, &decision) == COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && !decision.challenge.data);
  memset(&decision, 0x55, sizeof decision);
  CHECK(countersign_gate_resume(gate, 7, ABSENT, ABSENT, &decision) == COUNTERSIGN_NULL);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && decision.code == 0x87);
  CHECK(countersign_gate_resume(gate, 7, facts.client_id, bytes(NULL, 1), &decision) ==
        COUNTERSIGN_NULL);
  CHECK(countersign_gate_resume(gate, 7, facts.client_id, ABSENT, NULL) == COUNTERSIGN_NULL);
  use = good_command();
  CHECK(countersign_gate_command(NULL, &use, ABSENT) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_command(gate, NULL, ABSENT) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_command(gate, &use, bytes(NULL, 5)) == COUNTERSIGN_NULL);
  use.topic = ABSENT;
  CHECK(countersign_gate_command(gate, &use, ABSENT) == COUNTERSIGN_NULL);
  known = 1;
  CHECK(countersign_gate_knows(NULL, 7, &known) == COUNTERSIGN_NULL && !known);
  CHECK(countersign_gate_knows(gate, 7, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_arrived(NULL, 7, facts.client_id, ABSENT, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_arrived(gate, 7, ABSENT, ABSENT, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_arrived(gate, 7, facts.client_id, bytes(NULL, 1), NULL) ==
        COUNTERSIGN_NULL);

  CHECK(countersign_gate_poll(NULL, &no_events) == COUNTERSIGN_NULL && !no_events);
  CHECK(countersign_gate_poll(gate, NULL) == COUNTERSIGN_NULL);
  memset(&event, 0x55, sizeof event);
  CHECK(countersign_events_next(NULL, &event) == COUNTERSIGN_NULL);
  CHECK(event.kind == COUNTERSIGN_EVENT_NONE && !event.admitted && !event.line.data);
  CHECK(!event.topic && !event.payload.data);
  CHECK(countersign_events_next(NULL, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_events_free(NULL) == COUNTERSIGN_OK);
  CHECK(countersign_gate_completed(NULL, 1, 1) == COUNTERSIGN_NULL);
  CHECK(countersign_gate_disconnected(NULL, 1) == COUNTERSIGN_NULL);

  CHECK(countersign_store_create(ABSENT, ABSENT) == COUNTERSIGN_NULL);
  CHECK(countersign_store_create(countersign_text(path), ABSENT) == COUNTERSIGN_NULL);
  CHECK(countersign_store_open(ABSENT, countersign_text("t"), &no_store) == COUNTERSIGN_NULL);
  CHECK(!no_store);
  CHECK(countersign_store_open(countersign_text(path), countersign_text("t"), NULL) ==
        COUNTERSIGN_NULL);
  CHECK(countersign_tenant_create(NULL, countersign_text("t")) == COUNTERSIGN_NULL);
  CHECK(countersign_credential_create(NULL, countersign_text("acme"), countersign_text("x"),
                                      ABSENT, ABSENT, &no_issued) == COUNTERSIGN_NULL);
  CHECK(!no_issued);
  CHECK(countersign_credential_create(NULL, ABSENT, ABSENT, ABSENT, ABSENT, NULL) ==
        COUNTERSIGN_NULL);
  CHECK(countersign_credential_suspend(NULL, countersign_text("x")) == COUNTERSIGN_NULL);
  CHECK(countersign_credential_reactivate(NULL, ABSENT) == COUNTERSIGN_NULL);
  CHECK(countersign_credential_revoke(NULL, ABSENT, ABSENT) == COUNTERSIGN_NULL);
  CHECK(countersign_credential_delete(NULL, ABSENT) == COUNTERSIGN_NULL);
  CHECK(countersign_credential_reset_password(NULL, ABSENT, ABSENT, NULL) == COUNTERSIGN_NULL);
  memset(&fields, 0x55, sizeof fields);
  CHECK(countersign_issued_get(NULL, &fields) == COUNTERSIGN_NULL && !fields.secret.data);
  CHECK(countersign_issued_get(NULL, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_issued_free(NULL) == COUNTERSIGN_OK);
  CHECK(countersign_store_close(NULL) == COUNTERSIGN_OK);
  CHECK(countersign_last_message(NULL, 0, NULL) == COUNTERSIGN_TRUNCATED);
  CHECK(countersign_last_message(NULL, 5, NULL) == COUNTERSIGN_NULL);
}

/* Texts that are none, numbers that are none, sizes of another version. */
static void nonsense(countersign_gate *gate, countersign_store *store, const char *secret) {
  countersign_connect_facts facts = good_facts(secret);
  countersign_use use = good_use();
  countersign_decision decision;
  countersign_verdict verdict;
  countersign_issued *issued = (countersign_issued *)0x10;
  countersign_options *options;

  facts.client_id = countersign_text("\xff\xfe");
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  CHECK(decision.reason == COUNTERSIGN_REASON_MALFORMED);
  facts = good_facts(secret);
  facts.username = countersign_text("dev1\xc3@acme");
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts = good_facts(secret);
  facts.username = bytes("dev1@acme\0x", 11);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts = good_facts(secret);
  facts.password = countersign_text("\xff\xff\xff");
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts = good_facts(secret);
  facts.address = countersign_text("\xff");
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_MALFORMED);
  facts = good_facts(secret);
  facts.flags = 0x80;
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_MALFORMED);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts = good_facts(secret);
  facts.protocol = 6;
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_MALFORMED);
  for (size_t size = 0; size < 2; size++) {
    facts = good_facts(secret);
    facts.size = size ? SIZE_MAX : 0;
    CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_UNSUPPORTED);
    CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
    use = good_use();
    use.size = size ? sizeof use + 8 : 0;
    CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_UNSUPPORTED);
    CHECK(!verdict.allowed);
  }

  facts = good_facts(secret);
  CHECK(connect_in_time(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED);
  use = good_use();
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && verdict.allowed == 1);
  use.topic = countersign_text("acme/\xff");
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && !verdict.allowed);
  CHECK(verdict.reason == COUNTERSIGN_REASON_MALFORMED);
  use.topic = bytes("acme/\0x", 7);
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && !verdict.allowed);
  use.topic = bytes("", 0);
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && !verdict.allowed);
  use = good_use();
  use.action = 0;
  verdict.allowed = 1;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_MALFORMED && !verdict.allowed);
  use.action = 99;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_MALFORMED && !verdict.allowed);
  use = good_use();
  use.qos = 3;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && !verdict.allowed);
  use = good_use();
  use.retain = 2;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_MALFORMED && !verdict.allowed);
  use = good_use();
  use.handle = SIZE_MAX;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && !verdict.allowed);

  CHECK(countersign_gate_disconnected(gate, SIZE_MAX) == COUNTERSIGN_OK);
  CHECK(countersign_gate_completed(gate, UINT64_MAX, UINT32_MAX) == COUNTERSIGN_OK);
  CHECK(countersign_tenant_create(store, countersign_text("\xff")) == COUNTERSIGN_MALFORMED);
  CHECK(countersign_tenant_create(store, countersign_text("A B")) == COUNTERSIGN_MALFORMED);
  CHECK(countersign_tenant_create(store, bytes("", 0)) == COUNTERSIGN_MALFORMED);
  CHECK(countersign_tenant_create(store, countersign_text("acme")) == COUNTERSIGN_EXISTS);
  CHECK(countersign_credential_create(store, countersign_text("none"), countersign_text("x"),
                                      ABSENT, ABSENT, &issued) == COUNTERSIGN_MISSING);
  CHECK(!issued);
  CHECK(countersign_credential_create(store, countersign_text("acme"), countersign_text("dev1"),
                                      ABSENT, ABSENT, &issued) == COUNTERSIGN_EXISTS);
  CHECK(countersign_credential_create(store, countersign_text("acme"), ABSENT, ABSENT, ABSENT,
                                      &issued) == COUNTERSIGN_REFUSED);
  CHECK(countersign_credential_create(store, countersign_text("acme"), countersign_text("x"),
                                      countersign_text("NONE"), ABSENT,
                                      &issued) == COUNTERSIGN_MALFORMED);
  CHECK(countersign_credential_create(store, countersign_text("acme"), countersign_text("x"),
                                      ABSENT, bytes("a\0b", 3), &issued) == COUNTERSIGN_MALFORMED);
  CHECK(countersign_credential_suspend(store, countersign_text("none@acme")) ==
        COUNTERSIGN_MISSING);
  CHECK(countersign_credential_reactivate(store, countersign_text("dev1@acme")) ==
        COUNTERSIGN_REFUSED);

  CHECK(countersign_options_new(&options) == COUNTERSIGN_OK);
  CHECK(countersign_options_set(options, countersign_text("\xff"), countersign_text("x")) ==
        COUNTERSIGN_MALFORMED);
  CHECK(countersign_options_set(options, countersign_text("none"), countersign_text("x")) ==
        COUNTERSIGN_OK);
  CHECK(countersign_gate_change_options(gate, options) == COUNTERSIGN_BAD_OPTION);
  CHECK(countersign_options_free(options) == COUNTERSIGN_OK);
}

/* Takes the events of a poll, and counts the replies to a connection. */
static int replies_to(countersign_gate *gate, size_t handle) {
  countersign_events *events;
  countersign_event event;
  int count = 0;

  usleep(1000);
  CHECK(countersign_gate_poll(gate, &events) == COUNTERSIGN_OK);
  while (countersign_events_next(events, &event) == COUNTERSIGN_OK) {
    if (event.kind != COUNTERSIGN_EVENT_REPLY) {
      CHECK(!event.topic && !event.payload.data);
      continue;
    }
    CHECK(event.handle == handle && event.client_id.length == 1 && !event.line.data);
    CHECK(strncmp(event.topic, countersign_session_topic(),
                  strlen(countersign_session_topic())) == 0);
    CHECK(!event.payload.data[event.payload.length]);
    CHECK(strstr(event.payload.data, "responses"));
    count++;
  }
  CHECK(countersign_events_free(events) == COUNTERSIGN_OK);
  return count;
}

/* Enhanced authentication and commands in an order that they don't have, and of
 * whoever may not. */
static void disorder(countersign_gate *gate, const char *secret) {
  const countersign_bytes info =
      countersign_text("{\"commands\":[{\"command\":\"session.info\"}]}");
  countersign_connect_facts facts = good_facts(secret);
  countersign_use use = good_command();
  countersign_origin origin = good_origin();
  countersign_decision decision;
  countersign_verdict verdict;
  uint32_t known;

  facts.protocol = 5;
  CHECK(countersign_gate_disconnected(gate, 7) == COUNTERSIGN_OK);
  CHECK(countersign_gate_disconnected(gate, 7) == COUNTERSIGN_OK);

  /* A code that nobody asked for, and commands of nobody. */
  CHECK(countersign_gate_resume(gate, 7, facts.client_id, countersign_text("123456"),
                                &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && !decision.challenge.data);
  CHECK(decision.reason == COUNTERSIGN_REASON_MFA_REQUIRED && decision.code == 0x87);
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && !verdict.allowed);
  CHECK(countersign_gate_command(gate, &use, info) == COUNTERSIGN_OK);
  CHECK(replies_to(gate, 7) == 0);
  CHECK(countersign_gate_knows(gate, 7, &known) == COUNTERSIGN_OK && !known);

  /* A method that there is not, one that is none, and a wrong secret. */
  CHECK(countersign_gate_connect_enhanced(gate, &facts, countersign_text("SCRAM-SHA-1"),
                                          countersign_text(secret),
                                          &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && decision.code == 0x8c);
  CHECK(countersign_gate_connect_enhanced(gate, &facts, bytes("\xff\0", 2),
                                          countersign_text(secret),
                                          &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && decision.code == 0x8c);
  do {
    usleep(1000);
    /* The password field is not looked at. */
    CHECK(countersign_gate_connect_enhanced(gate, &facts, METHOD, ABSENT, &decision) ==
          COUNTERSIGN_OK);
  } while (decision.reason == COUNTERSIGN_REASON_STORE_BUSY);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && !decision.username.data);

  /* A session that authenticates again or goes on unasked is ended, see below. */
  do {
    usleep(1000);
    CHECK(countersign_gate_connect_enhanced(gate, &facts, METHOD, countersign_text(secret),
                                            &decision) == COUNTERSIGN_OK);
  } while (decision.reason == COUNTERSIGN_REASON_STORE_BUSY);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED && decision.username.length == 9);
  CHECK(!decision.challenge.data);
  CHECK(countersign_gate_knows(gate, 7, &known) == COUNTERSIGN_OK && known == 1);

  /* Commands: those that are none, and one that is. */
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && verdict.allowed);
  use.action = COUNTERSIGN_SUBSCRIBE;
  CHECK(countersign_gate_command(gate, &use, info) == COUNTERSIGN_MALFORMED);
  use.action = 99;
  CHECK(countersign_gate_command(gate, &use, info) == COUNTERSIGN_MALFORMED);
  use = good_use();
  CHECK(countersign_gate_command(gate, &use, info) == COUNTERSIGN_MALFORMED);
  use = good_command();
  use.size--;
  CHECK(countersign_gate_command(gate, &use, info) == COUNTERSIGN_UNSUPPORTED);
  use = good_command();
  use.client_id = countersign_text("another");
  CHECK(countersign_gate_command(gate, &use, info) == COUNTERSIGN_OK);
  CHECK(replies_to(gate, 7) == 0);
  use = good_command();
  for (int round = 0; round < 3; round++) {
    const countersign_bytes said[] = {info, ABSENT, bytes("\xff{\0", 3)};
    int count = 0;
    CHECK(countersign_gate_command(gate, &use, said[round]) == COUNTERSIGN_OK);
    while (!count)
      count = replies_to(gate, 7);
    CHECK(count == 1);
  }

  /* An origin of another size, with flags and numbers that are none; a use as
   * long as before there were any. */
  use = good_use();
  use.origin = &origin;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && verdict.allowed);
  origin.size++;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_UNSUPPORTED);
  CHECK(!verdict.allowed);
  CHECK(countersign_gate_arrived(gate, 9, facts.client_id, facts.username, &origin) ==
        COUNTERSIGN_UNSUPPORTED);
  origin = good_origin();
  origin.flags = COUNTERSIGN_MAY_WAIT;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_MALFORMED);
  origin = good_origin();
  origin.protocol = 6;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_MALFORMED);
  origin = good_origin();
  origin.address = countersign_text("\xff");
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_MALFORMED);
  CHECK(!verdict.allowed);
  origin = good_origin();
  use.size = offsetof(countersign_use, payload_length);
  use.payload_length = (size_t)-1;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && verdict.allowed);
  use.size = offsetof(countersign_use, origin);
  use.origin = (const countersign_origin *)0x10;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && verdict.allowed);

  /* Nobody vouches for these. */
  origin = good_origin();
  CHECK(countersign_gate_arrived(gate, 9, countersign_text("d"), facts.username, &origin) ==
        COUNTERSIGN_OK);
  CHECK(countersign_gate_arrived(gate, 10, bytes("\xff\0", 2), bytes("", 0), NULL) ==
        COUNTERSIGN_OK);
  for (size_t handle = 9; handle < 11; handle++)
    CHECK(countersign_gate_knows(gate, handle, &known) == COUNTERSIGN_OK && !known);

  CHECK(countersign_gate_connect_enhanced(gate, &facts, METHOD, countersign_text(secret),
                                          &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_CHALLENGE && decision.challenge.length == 0);
  CHECK(countersign_gate_resume(gate, 7, facts.client_id, ABSENT, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_CHALLENGE && decision.code == 0x87);
  CHECK(decision.challenge.data && decision.challenge.length == 0);
  for (int is_kicked = 0; !is_kicked;) {
    countersign_events *events;
    countersign_event event;
    CHECK(countersign_gate_poll(gate, &events) == COUNTERSIGN_OK);
    while (countersign_events_next(events, &event) == COUNTERSIGN_OK)
      is_kicked |= event.kind == COUNTERSIGN_EVENT_KICK && event.handle == 7;
    CHECK(countersign_events_free(events) == COUNTERSIGN_OK);
  }
  CHECK(countersign_gate_disconnected(gate, 7) == COUNTERSIGN_OK);
  use = good_command();
  CHECK(countersign_gate_command(gate, &use, info) == COUNTERSIGN_OK);
  CHECK(replies_to(gate, 7) == 0);

  /* As it was before. */
  facts = good_facts(secret);
  CHECK(connect_in_time(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED);
}

/* Lengths of 0 and as many as there are. Nothing beyond 65535 bytes is read. */
static void lengths(countersign_gate *gate, countersign_store *store, const char *secret) {
  static char longest[65535];
  const size_t too_long[] = {65536, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX};
  countersign_connect_facts facts;
  countersign_use use;
  countersign_decision decision;
  countersign_verdict verdict;
  char line[8];
  size_t length;

  memset(longest, 'a', sizeof longest);
  for (size_t index = 0; index < sizeof too_long / sizeof *too_long; index++) {
    const countersign_bytes all = bytes("x", too_long[index]);
    countersign_bytes *fields[] = {&facts.client_id, &facts.username, &facts.password,
                                   &facts.address};
    for (size_t field = 0; field < 4; field++) {
      facts = good_facts(secret);
      *fields[field] = all;
      CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_TOO_LONG);
      CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
    }
    facts = good_facts(secret);
    CHECK(countersign_gate_connect_enhanced(gate, &facts, all, ABSENT, &decision) ==
          COUNTERSIGN_TOO_LONG);
    CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
    CHECK(countersign_gate_connect_enhanced(gate, &facts, METHOD, all, &decision) ==
          COUNTERSIGN_TOO_LONG);
    CHECK(countersign_gate_resume(gate, 7, all, ABSENT, &decision) == COUNTERSIGN_TOO_LONG);
    CHECK(countersign_gate_resume(gate, 7, facts.client_id, all, &decision) ==
          COUNTERSIGN_TOO_LONG);
    CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
    CHECK(countersign_gate_arrived(gate, 7, all, ABSENT, NULL) == COUNTERSIGN_TOO_LONG);
    use = good_command();
    CHECK(countersign_gate_command(gate, &use, all) == COUNTERSIGN_TOO_LONG);
    use = good_use();
    use.topic = all;
    CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_TOO_LONG);
    CHECK(!verdict.allowed);
    CHECK(countersign_tenant_create(store, all) == COUNTERSIGN_TOO_LONG);
    CHECK(countersign_credential_suspend(store, all) == COUNTERSIGN_TOO_LONG);
  }
  facts = good_facts(secret);
  facts.client_id = bytes(longest, sizeof longest);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  facts = good_facts(secret);
  facts.password = bytes(longest, sizeof longest);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts.password = bytes("", 0);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts.username = bytes("", 0);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts.client_id = bytes("", 0);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  facts = good_facts(secret);
  CHECK(connect_in_time(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED);
  memcpy(longest, "acme/", 5);
  use = good_use();
  use.topic = bytes(longest, sizeof longest);
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && verdict.allowed);

  CHECK(countersign_gate_close((countersign_gate *)1) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_last_message(line, sizeof line, &length) == COUNTERSIGN_TRUNCATED);
  CHECK(length > sizeof line && strlen(line) == sizeof line - 1);
  CHECK(countersign_last_message(line, 1, &length) == COUNTERSIGN_TRUNCATED && !line[0]);
  {
    char whole[512];
    CHECK(countersign_last_message(whole, sizeof whole, &length) == COUNTERSIGN_OK);
    CHECK(strlen(whole) == length);
  }
}

struct stolen {
  countersign_gate *gate;
  countersign_store *store;
  countersign_options *options;
};

/* Another thread gets nothing of this one's. */
static void *thief(void *given) {
  struct stolen *stolen = given;
  countersign_events *events;
  countersign_use use = good_use();
  countersign_verdict verdict;
  countersign_connect_facts facts = good_facts("x");
  countersign_decision decision;
  countersign_options *own;
  uint32_t known;
  char line[64];

  CHECK(countersign_last_message(line, sizeof line, NULL) == COUNTERSIGN_OK && !line[0]);
  CHECK(countersign_gate_check(stolen->gate, &use, &verdict) == COUNTERSIGN_WRONG_THREAD);
  CHECK(!verdict.allowed);
  CHECK(countersign_gate_connect(stolen->gate, &facts, &decision) == COUNTERSIGN_WRONG_THREAD);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  CHECK(countersign_gate_connect_enhanced(stolen->gate, &facts, METHOD, ABSENT, &decision) ==
        COUNTERSIGN_WRONG_THREAD);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  CHECK(countersign_gate_resume(stolen->gate, 7, facts.client_id, ABSENT, &decision) ==
        COUNTERSIGN_WRONG_THREAD);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  use = good_command();
  CHECK(countersign_gate_command(stolen->gate, &use, ABSENT) == COUNTERSIGN_WRONG_THREAD);
  CHECK(countersign_gate_knows(stolen->gate, 7, &known) == COUNTERSIGN_WRONG_THREAD && !known);
  CHECK(countersign_gate_arrived(stolen->gate, 7, facts.client_id, ABSENT, NULL) ==
        COUNTERSIGN_WRONG_THREAD);
  CHECK(countersign_gate_poll(stolen->gate, &events) == COUNTERSIGN_WRONG_THREAD && !events);
  CHECK(countersign_gate_disconnected(stolen->gate, 7) == COUNTERSIGN_WRONG_THREAD);
  CHECK(countersign_gate_close(stolen->gate) == COUNTERSIGN_WRONG_THREAD);
  CHECK(countersign_store_close(stolen->store) == COUNTERSIGN_WRONG_THREAD);
  CHECK(countersign_options_free(stolen->options) == COUNTERSIGN_WRONG_THREAD);
  /* What a thread leaves is ended with it. */
  CHECK(countersign_options_new(&own) == COUNTERSIGN_OK);
  stolen->options = own;
  return NULL;
}

/* A gate of a thread that ends without closing it. */
static void *careless(void *path) {
  countersign_options *options = options_for(path, "careless");
  countersign_gate *gate;
  CHECK(countersign_gate_open(options, wake, &wakes, &gate) == COUNTERSIGN_OK);
  return gate;
}

int main(int count, char **arguments) {
  countersign_options *options, *theirs;
  countersign_gate *gate, *second;
  countersign_store *store;
  countersign_issued *issued;
  countersign_issued_fields fields;
  countersign_events *events;
  countersign_event event;
  countersign_use use = good_use();
  countersign_verdict verdict;
  countersign_connect_facts facts;
  countersign_decision decision;
  struct stolen stolen;
  pthread_t thread;
  uint32_t known;
  void *left;
  char secret[128];
  const char *path = arguments[1];

  CHECK(count == 2);
  CHECK(strcmp(countersign_version(), COUNTERSIGN_VERSION) == 0);
  CHECK(strcmp(countersign_reason_text(COUNTERSIGN_REASON_BAD_SECRET), "bad-secret") == 0);
  CHECK(!*countersign_reason_text(UINT32_MAX));

  /* Before there is a store. */
  CHECK(countersign_store_open(countersign_text(path), countersign_text("t"), &store) ==
        COUNTERSIGN_MISSING);
  options = options_for(path, "misuse");
  CHECK(countersign_gate_open(options, wake, &wakes, &gate) == COUNTERSIGN_MISSING && !gate);
  CHECK(countersign_store_create(countersign_text(path), countersign_text("t\n")) ==
        COUNTERSIGN_MALFORMED);
  CHECK(countersign_store_create(countersign_text("/nowhere/at/all"), countersign_text("t")) ==
        COUNTERSIGN_STORE);
  CHECK(countersign_store_create(countersign_text(path), countersign_text("t")) == COUNTERSIGN_OK);
  CHECK(countersign_store_create(countersign_text(path), countersign_text("t")) ==
        COUNTERSIGN_EXISTS);
  CHECK(countersign_store_open(countersign_text(path), countersign_text("t"), &store) ==
        COUNTERSIGN_OK);
  CHECK(countersign_tenant_create(store, countersign_text("acme")) == COUNTERSIGN_OK);
  CHECK(countersign_credential_create(store, countersign_text("acme"), countersign_text("dev1"),
                                      ABSENT, ABSENT, &issued) == COUNTERSIGN_OK);
  CHECK(countersign_issued_get(issued, &fields) == COUNTERSIGN_OK);
  CHECK(fields.secret.length < sizeof secret && !fields.client_id.data);
  memcpy(secret, fields.secret.data, fields.secret.length + 1);
  CHECK(strlen(secret) == fields.secret.length);
  CHECK(countersign_issued_free(issued) == COUNTERSIGN_OK);

  CHECK(countersign_gate_open(options, wake, &wakes, &gate) == COUNTERSIGN_OK);
  CHECK(countersign_gate_open(options, wake, &wakes, &second) == COUNTERSIGN_EXISTS && !second);

  nulls(path, gate, secret);
  nonsense(gate, store, secret);
  disorder(gate, secret);
  lengths(gate, store, secret);

  /* Objects of other types. */
  CHECK(countersign_gate_close((countersign_gate *)store) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_store_close((countersign_store *)gate) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_gate_close((countersign_gate *)&wakes) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_gate_check((countersign_gate *)options, &use, &verdict) ==
        COUNTERSIGN_INVALID_OBJECT);

  /* Another thread's. */
  stolen.gate = gate;
  stolen.store = store;
  stolen.options = options;
  CHECK(pthread_create(&thread, NULL, thief, &stolen) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  theirs = stolen.options;
  CHECK(countersign_options_free(theirs) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(pthread_create(&thread, NULL, careless, (void *)path) == 0);
  CHECK(pthread_join(thread, &left) == 0);
  CHECK(countersign_gate_close(left) == COUNTERSIGN_INVALID_OBJECT);

  /* A whole life in C: reset, suspend, reactivate, revoke, delete. */
  CHECK(countersign_credential_reset_password(store, countersign_text("dev1@acme"),
                                              countersign_text("chosen"), &issued) ==
        COUNTERSIGN_OK);
  CHECK(countersign_issued_get(issued, &fields) == COUNTERSIGN_OK && !fields.secret.data);
  CHECK(countersign_issued_free(issued) == COUNTERSIGN_OK);
  facts = good_facts("chosen");
  facts.handle = 8;
  /* The wrong passwords above used up the time for hashing on this thread; what
   * finds none is hashed for the next try. */
  do {
    usleep(20000);
    CHECK(countersign_gate_poll(gate, &events) == COUNTERSIGN_OK);
    CHECK(countersign_events_free(events) == COUNTERSIGN_OK);
    CHECK(connect_in_time(gate, &facts, &decision) == COUNTERSIGN_OK);
  } while (decision.reason == COUNTERSIGN_REASON_OVER_BUDGET);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED);
  CHECK(decision.username.length == 9 && !decision.username.data[9]);
  CHECK(countersign_credential_suspend(store, countersign_text("dev1@acme")) == COUNTERSIGN_OK);
  CHECK(countersign_credential_suspend(store, countersign_text("dev1@acme")) ==
        COUNTERSIGN_REFUSED);
  for (;;) {
    CHECK(countersign_gate_poll(gate, &events) == COUNTERSIGN_OK);
    CHECK(countersign_gate_close((countersign_gate *)events) == COUNTERSIGN_INVALID_OBJECT);
    int is_kicked = 0;
    while (countersign_events_next(events, &event) == COUNTERSIGN_OK)
      is_kicked |= event.kind == COUNTERSIGN_EVENT_KICK && event.handle == 8;
    CHECK(countersign_events_next(events, &event) == COUNTERSIGN_DONE);
    CHECK(countersign_events_free(events) == COUNTERSIGN_OK);
    CHECK(countersign_events_free(events) == COUNTERSIGN_INVALID_OBJECT);
    CHECK(countersign_events_next(events, &event) == COUNTERSIGN_INVALID_OBJECT);
    if (is_kicked)
      break;
  }
  CHECK(__atomic_load_n(&wakes, __ATOMIC_SEQ_CST) > 0);
  CHECK(countersign_gate_disconnected(gate, 8) == COUNTERSIGN_OK);
  CHECK(countersign_credential_reactivate(store, countersign_text("dev1@acme")) == COUNTERSIGN_OK);
  CHECK(countersign_credential_revoke(store, countersign_text("dev1@acme"),
                                      countersign_text("lost")) == COUNTERSIGN_OK);
  CHECK(countersign_credential_reactivate(store, countersign_text("dev1@acme")) ==
        COUNTERSIGN_REFUSED);
  CHECK(countersign_credential_delete(store, countersign_text("dev1@acme")) == COUNTERSIGN_OK);
  CHECK(countersign_credential_delete(store, countersign_text("dev1@acme")) ==
        COUNTERSIGN_MISSING);

  /* Other options, and those that can't change. */
  CHECK(countersign_gate_change_options(gate, options) == COUNTERSIGN_OK);
  theirs = options_for(path, "another");
  CHECK(countersign_gate_change_options(gate, theirs) == COUNTERSIGN_BAD_OPTION);
  CHECK(countersign_options_free(theirs) == COUNTERSIGN_OK);

  /* After the end, and twice. */
  CHECK(countersign_options_free(options) == COUNTERSIGN_OK);
  CHECK(countersign_options_free(options) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_options_set(options, countersign_text("a"), countersign_text("b")) ==
        COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_store_close(store) == COUNTERSIGN_OK);
  CHECK(countersign_store_close(store) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_tenant_create(store, countersign_text("x")) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_gate_close(gate) == COUNTERSIGN_OK);
  CHECK(countersign_gate_close(gate) == COUNTERSIGN_INVALID_OBJECT);
  verdict.allowed = 1;
  CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(!verdict.allowed);
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  CHECK(countersign_gate_connect_enhanced(gate, &facts, METHOD, ABSENT, &decision) ==
        COUNTERSIGN_INVALID_OBJECT);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  CHECK(countersign_gate_resume(gate, 7, facts.client_id, ABSENT, &decision) ==
        COUNTERSIGN_INVALID_OBJECT);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_REFUSED);
  use = good_command();
  CHECK(countersign_gate_command(gate, &use, ABSENT) == COUNTERSIGN_INVALID_OBJECT);
  known = 1;
  CHECK(countersign_gate_knows(gate, 7, &known) == COUNTERSIGN_INVALID_OBJECT && !known);
  CHECK(countersign_gate_arrived(gate, 7, facts.client_id, ABSENT, NULL) ==
        COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_gate_poll(gate, &events) == COUNTERSIGN_INVALID_OBJECT && !events);
  CHECK(countersign_gate_completed(gate, 1, 1) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_gate_disconnected(gate, 1) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_issued_free(issued) == COUNTERSIGN_INVALID_OBJECT);
  puts("misuse survived");
  return 0;
}
