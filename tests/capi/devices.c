/*
 * Devices are brought into service from C: in groups, with roles, with secrets that
 * were given out elsewhere. Every way to get it wrong is a status, issues nothing, and
 * neither Valgrind nor AddressSanitizer finds anything.
 *
 *   devices STORE       STORE has a tenant `acme`, its roles `sensor` and `mute`, which
 *                       denies publishing on `acme/x` and is held by group `plant`, and
 *                       a scheme `old` whose secrets may have six digits
 */

#include "check.h"
#include <countersign.h>

#include <stdint.h>
#include <unistd.h>

static const countersign_bytes ABSENT = {NULL, 0};
static const char SECRET[] = "cs_00112233445566778899aabbccddeeff";

static countersign_new_credential device(const char *name) {
  countersign_new_credential wanted = {0};
  wanted.size = sizeof wanted;
  wanted.tenant = countersign_text("acme");
  wanted.name = countersign_text(name);
  return wanted;
}

/* Tries to make it, and issues nothing. */
static countersign_status refused(countersign_store *store,
                                  const countersign_new_credential *wanted) {
  countersign_issued *issued = (countersign_issued *)0x10;
  countersign_status status = countersign_credential_create_with(store, wanted, &issued);
  CHECK(!issued);
  return status;
}

/* Makes it; whether its secret is shown. */
static int is_secret_shown(countersign_store *store, const countersign_new_credential *wanted) {
  countersign_issued *issued;
  countersign_issued_fields fields;
  int is_shown;
  CHECK(countersign_credential_create_with(store, wanted, &issued) == COUNTERSIGN_OK);
  CHECK(countersign_issued_get(issued, &fields) == COUNTERSIGN_OK && fields.name.data);
  is_shown = fields.secret.data != NULL;
  CHECK(countersign_issued_free(issued) == COUNTERSIGN_OK);
  return is_shown;
}

/* What is no credential. */
static void nonsense(countersign_store *store) {
  const countersign_bytes bad[] = {countersign_text("\xff"), countersign_text("a b"),
                                   countersign_text("a/b")};
  const countersign_bytes too_long = {"x", 65536};
  countersign_new_credential wanted = device("dev1");
  countersign_issued *issued = (countersign_issued *)0x10;
  countersign_bytes *fields[] = {&wanted.tenant, &wanted.name, &wanted.scheme,
                                 &wanted.password, &wanted.secret};

  CHECK(countersign_credential_create_with(NULL, &wanted, &issued) == COUNTERSIGN_NULL);
  CHECK(!issued);
  CHECK(countersign_credential_create_with(store, &wanted, NULL) == COUNTERSIGN_NULL);
  CHECK(refused(store, NULL) == COUNTERSIGN_NULL);
  CHECK(countersign_credential_create_with((countersign_store *)0x10, &wanted, &issued) ==
        COUNTERSIGN_INVALID_OBJECT);
  for (size_t size = 0; size < 3; size++) {
    wanted.size = size == 0 ? 0 : size == 1 ? sizeof wanted - 8 : SIZE_MAX;
    CHECK(refused(store, &wanted) == COUNTERSIGN_UNSUPPORTED);
  }
  for (size_t field = 0; field < sizeof fields / sizeof *fields; field++) {
    wanted = device("dev1");
    *fields[field] = too_long;
    CHECK(refused(store, &wanted) == COUNTERSIGN_TOO_LONG);
    *fields[field] = (countersign_bytes){NULL, 5};
    CHECK(refused(store, &wanted) == COUNTERSIGN_NULL);
    *fields[field] = bad[0];
    if (field < 3)
      CHECK(refused(store, &wanted) == COUNTERSIGN_MALFORMED);
  }
  wanted = device("dev1");
  wanted.tenant = ABSENT;
  CHECK(refused(store, &wanted) == COUNTERSIGN_NULL);
  wanted = device("dev1");
  wanted.flags = 2;
  CHECK(refused(store, &wanted) == COUNTERSIGN_MALFORMED);
  wanted = device("dev1");
  wanted.reserved = 1;
  CHECK(refused(store, &wanted) == COUNTERSIGN_MALFORMED);
  wanted = device("dev1");
  wanted.secret = countersign_text(SECRET);
  wanted.password = countersign_text("chosen");
  CHECK(refused(store, &wanted) == COUNTERSIGN_MALFORMED);

  /* Lists that are none, too long, or of what is none. */
  for (int of_roles = 0; of_roles < 2; of_roles++) {
    const countersign_bytes **list;
    size_t *count;
    wanted = device("dev1");
    list = of_roles ? &wanted.roles : &wanted.groups;
    count = of_roles ? &wanted.role_count : &wanted.group_count;
    *count = 1;
    CHECK(refused(store, &wanted) == COUNTERSIGN_NULL);
    *list = bad;
    *count = SIZE_MAX;
    CHECK(refused(store, &wanted) == COUNTERSIGN_MALFORMED);
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
      *list = &bad[index];
      *count = 1;
      CHECK(refused(store, &wanted) == COUNTERSIGN_MALFORMED);
    }
    *list = &ABSENT;
    CHECK(refused(store, &wanted) == COUNTERSIGN_NULL);
    *list = &too_long;
    CHECK(refused(store, &wanted) == COUNTERSIGN_TOO_LONG);
  }
  {
    const countersign_bytes none = countersign_text("none");
    countersign_bytes groups[33];
    char names[33][3];
    wanted = device("dev1");
    wanted.roles = &none;
    wanted.role_count = 1;
    CHECK(refused(store, &wanted) == COUNTERSIGN_MISSING);
    wanted = device("dev1");
    wanted.tenant = none;
    CHECK(refused(store, &wanted) == COUNTERSIGN_MISSING);
    wanted = device("dev1");
    for (size_t index = 0; index < 33; index++) {
      names[index][0] = (char)('a' + index / 8);
      names[index][1] = (char)('a' + index % 8);
      names[index][2] = 0;
      groups[index] = countersign_text(names[index]);
    }
    wanted.groups = groups;
    wanted.group_count = 33;
    CHECK(refused(store, &wanted) == COUNTERSIGN_REFUSED);
  }

  /* Secrets of another form, and weak ones. */
  wanted = device("dev1");
  wanted.secret = countersign_text("guessed");
  CHECK(refused(store, &wanted) == COUNTERSIGN_REFUSED);
  wanted.flags = COUNTERSIGN_MAY_BE_WEAK;
  CHECK(refused(store, &wanted) == COUNTERSIGN_REFUSED);
  wanted = device("dev1");
  wanted.scheme = countersign_text("old");
  wanted.secret = countersign_text("123456");
  CHECK(refused(store, &wanted) == COUNTERSIGN_REFUSED);
}

/* Groups and roles that a device gets and loses. */
static void changes(countersign_store *store) {
  const countersign_bytes name = countersign_text("dev1@acme");
  const countersign_bytes none = countersign_text("none@acme");
  const countersign_bytes hall = countersign_text("plant.hall2");
  const countersign_bytes sensor = countersign_text("sensor");
  typedef countersign_status (*change)(countersign_store *, countersign_bytes,
                                       countersign_bytes);
  const change all[] = {countersign_credential_join, countersign_credential_leave,
                        countersign_credential_add_role, countersign_credential_remove_role};

  for (size_t index = 0; index < sizeof all / sizeof *all; index++) {
    CHECK(all[index](NULL, name, sensor) == COUNTERSIGN_NULL);
    CHECK(all[index](store, ABSENT, sensor) == COUNTERSIGN_NULL);
    CHECK(all[index](store, name, ABSENT) == COUNTERSIGN_NULL);
    CHECK(all[index](store, name, countersign_text("\xff")) == COUNTERSIGN_MALFORMED);
    CHECK(all[index](store, countersign_text("\n"), sensor) == COUNTERSIGN_MALFORMED);
    CHECK(all[index](store, name, countersign_text("a b")) == COUNTERSIGN_MALFORMED);
    CHECK(all[index](store, none, sensor) == COUNTERSIGN_MISSING);
  }
  CHECK(countersign_credential_leave(store, name, hall) == COUNTERSIGN_REFUSED);
  CHECK(countersign_credential_join(store, name, hall) == COUNTERSIGN_OK);
  CHECK(countersign_credential_join(store, name, hall) == COUNTERSIGN_OK);
  CHECK(countersign_credential_leave(store, name, hall) == COUNTERSIGN_OK);
  CHECK(countersign_credential_remove_role(store, name, sensor) == COUNTERSIGN_OK);
  CHECK(countersign_credential_remove_role(store, name, sensor) == COUNTERSIGN_REFUSED);
  CHECK(countersign_credential_add_role(store, name, sensor) == COUNTERSIGN_OK);
  CHECK(countersign_credential_add_role(store, name, countersign_text("none")) ==
        COUNTERSIGN_MISSING);
}

/* Whether it may publish on a topic: by polls, since what was changed comes by one. */
static void await(countersign_gate *gate, const char *topic, uint32_t is_allowed) {
  countersign_use use = {0};
  countersign_verdict verdict;
  use.size = sizeof use;
  use.handle = 7;
  use.client_id = countersign_text("c");
  use.username = countersign_text("dev1@acme");
  use.topic = countersign_text(topic);
  use.action = COUNTERSIGN_PUBLISH;
  use.connected = 1;
  for (;;) {
    countersign_events *events;
    CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK);
    if (verdict.allowed == is_allowed)
      return;
    usleep(1000);
    CHECK(countersign_gate_poll(gate, &events) == COUNTERSIGN_OK);
    CHECK(countersign_events_free(events) == COUNTERSIGN_OK);
  }
}

int main(int count, char **arguments) {
  const countersign_bytes plant = countersign_text("plant");
  const countersign_bytes sensor = countersign_text("sensor");
  countersign_new_credential wanted = device("dev1");
  countersign_connect_facts facts = {0};
  countersign_decision decision;
  countersign_options *options;
  countersign_gate *gate;
  countersign_store *store;
  countersign_bytes path;

  CHECK(count == 2);
  path = countersign_text(arguments[1]);
  CHECK(countersign_store_open(path, countersign_text("devices"), &store) == COUNTERSIGN_OK);
  nonsense(store);

  wanted.secret = countersign_text(SECRET);
  wanted.groups = &plant;
  wanted.group_count = 1;
  wanted.roles = &sensor;
  wanted.role_count = 1;
  CHECK(!is_secret_shown(store, &wanted));
  CHECK(refused(store, &wanted) == COUNTERSIGN_EXISTS);
  /* No two have one secret. */
  wanted.name = countersign_text("dev2");
  CHECK(refused(store, &wanted) == COUNTERSIGN_REFUSED);
  wanted.secret = ABSENT;
  CHECK(is_secret_shown(store, &wanted));
  wanted = device("dev3");
  wanted.scheme = countersign_text("old");
  wanted.secret = countersign_text("123456");
  wanted.flags = COUNTERSIGN_MAY_BE_WEAK;
  CHECK(!is_secret_shown(store, &wanted));
  changes(store);

  /* It logs in by the secret that it had, and is never without its group's rules. */
  CHECK(countersign_options_new(&options) == COUNTERSIGN_OK);
  CHECK(countersign_options_set(options, countersign_text("store"), path) == COUNTERSIGN_OK);
  CHECK(countersign_options_set(options, countersign_text("broker"),
                                countersign_text("devices")) == COUNTERSIGN_OK);
  CHECK(countersign_gate_open(options, NULL, NULL, &gate) == COUNTERSIGN_OK);
  CHECK(countersign_options_free(options) == COUNTERSIGN_OK);
  facts.size = sizeof facts;
  facts.handle = 7;
  facts.client_id = countersign_text("c");
  facts.username = countersign_text("dev1@acme");
  facts.password = countersign_text(SECRET);
  facts.protocol = 4;
  facts.flags = COUNTERSIGN_CLEAN_START;
  do {
    usleep(1000);
    CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  } while (decision.reason == COUNTERSIGN_REASON_STORE_BUSY);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED);
  await(gate, "acme/x", 0);
  await(gate, "acme/y", 1);
  CHECK(countersign_credential_leave(store, countersign_text("dev1@acme"), plant) ==
        COUNTERSIGN_OK);
  await(gate, "acme/x", 1);
  CHECK(countersign_credential_join(store, countersign_text("dev1@acme"), plant) ==
        COUNTERSIGN_OK);
  await(gate, "acme/x", 0);

  CHECK(countersign_gate_close(gate) == COUNTERSIGN_OK);
  CHECK(countersign_store_close(store) == COUNTERSIGN_OK);
  CHECK(refused(store, &wanted) == COUNTERSIGN_INVALID_OBJECT);
  CHECK(countersign_credential_join(store, countersign_text("dev1@acme"), plant) ==
        COUNTERSIGN_INVALID_OBJECT);
  puts("devices in service");
  return 0;
}
