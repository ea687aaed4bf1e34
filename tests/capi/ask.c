/*
 * Asks a gate what is read from standard input, for the cases that the core and
 * a live broker are held to as well.
 *
 *   ask STORE
 *
 * A line is one question, its fields are joined by spaces, and texts are written
 * as hexadecimal digits behind a `=`:
 *
 *   connect =NAME =SECRET =CLIENT_ID        admitted | REASON
 *   deliver|publish|subscribe =TOPIC QOS RETAIN    allow | REASON, of who connected last
 *   poll                                    polled, once everything written before was seen
 */

#include "check.h"
#include <countersign.h>

#include <stdlib.h>
#include <unistd.h>

struct text {
  char *data;
  size_t length;
};

static struct text unhex(const char *word) {
  struct text text;
  CHECK(word && *word == '=');
  word++;
  text.length = strlen(word) / 2;
  text.data = malloc(text.length + 1);
  CHECK(text.data);
  for (size_t index = 0; index < text.length; index++) {
    unsigned value;
    CHECK(sscanf(word + 2 * index, "%2x", &value) == 1);
    text.data[index] = (char)value;
  }
  return text;
}

static countersign_bytes lend(struct text text) {
  countersign_bytes bytes;
  bytes.data = text.data;
  bytes.length = text.length;
  return bytes;
}

int main(int count, char **arguments) {
  countersign_options *options;
  countersign_gate *gate;
  struct text name = {NULL, 0}, client_id = {NULL, 0};
  char *line = NULL;
  size_t capacity = 0;
  size_t handle = 0;

  CHECK(count == 2);
  CHECK(countersign_options_new(&options) == COUNTERSIGN_OK);
  CHECK(countersign_options_set(options, countersign_text("store"),
                                countersign_text(arguments[1])) == COUNTERSIGN_OK);
  CHECK(countersign_options_set(options, countersign_text("broker"), countersign_text("ask")) ==
        COUNTERSIGN_OK);
  CHECK(countersign_gate_open(options, NULL, NULL, &gate) == COUNTERSIGN_OK);
  CHECK(countersign_options_free(options) == COUNTERSIGN_OK);
  setvbuf(stdout, NULL, _IOLBF, 0);

  while (getline(&line, &capacity, stdin) > 0) {
    const char *verb = strtok(line, " \n");
    CHECK(verb);
    if (strcmp(verb, "poll") == 0) {
      /* Changes are followed every 10 ms. */
      for (int round = 0; round < 6; round++) {
        countersign_events *events;
        usleep(10000);
        CHECK(countersign_gate_poll(gate, &events) == COUNTERSIGN_OK);
        CHECK(countersign_events_free(events) == COUNTERSIGN_OK);
      }
      puts("polled");
    } else if (strcmp(verb, "connect") == 0) {
      countersign_connect_facts facts = {0};
      countersign_decision decision;
      struct text secret;
      if (handle)
        CHECK(countersign_gate_disconnected(gate, handle) == COUNTERSIGN_OK);
      free(name.data);
      free(client_id.data);
      name = unhex(strtok(NULL, " \n"));
      secret = unhex(strtok(NULL, " \n"));
      client_id = unhex(strtok(NULL, " \n"));
      facts.size = sizeof facts;
      facts.handle = ++handle;
      facts.client_id = lend(client_id);
      facts.username = lend(name);
      facts.password = lend(secret);
      facts.protocol = 4;
      facts.flags = COUNTERSIGN_CLEAN_START;
      do {
        CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
      } while (decision.reason == COUNTERSIGN_REASON_STORE_BUSY);
      free(secret.data);
      puts(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED
               ? "admitted"
               : countersign_reason_text((uint32_t)decision.reason));
    } else {
      countersign_use use = {0};
      countersign_verdict verdict;
      struct text topic = unhex(strtok(NULL, " \n"));
      const char *qos = strtok(NULL, " \n"), *retain = strtok(NULL, " \n");
      CHECK(qos && retain);
      use.size = sizeof use;
      use.handle = handle;
      use.client_id = lend(client_id);
      use.username = lend(name);
      use.topic = lend(topic);
      use.action = strcmp(verb, "deliver") == 0   ? COUNTERSIGN_DELIVER
                   : strcmp(verb, "publish") == 0 ? COUNTERSIGN_PUBLISH
                                                  : COUNTERSIGN_SUBSCRIBE;
      use.qos = (uint8_t)atoi(qos);
      use.retain = (uint8_t)atoi(retain);
      use.connected = 1;
      CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK);
      free(topic.data);
      puts(verdict.allowed ? "allow" : countersign_reason_text((uint32_t)verdict.reason));
    }
  }
  free(line);
  free(name.data);
  free(client_id.data);
  CHECK(countersign_gate_close(gate) == COUNTERSIGN_OK);
  return 0;
}
