/*
 * What a check costs through the C interface, beside the same check in Rust:
 * `cargo bench -p countersign-tests --bench capi` runs it and tells both.
 *
 *   speed STORE NAME SECRET ROUNDS      prints nanoseconds per check
 */

#include "check.h"
#include <countersign.h>

#include <stdlib.h>
#include <time.h>

int main(int count, char **arguments) {
  countersign_options *options;
  countersign_gate *gate;
  countersign_connect_facts facts = {0};
  countersign_decision decision;
  countersign_use use = {0};
  countersign_verdict verdict;
  struct timespec start, stop;
  long rounds, round;

  CHECK(count == 5);
  CHECK(countersign_options_new(&options) == COUNTERSIGN_OK);
  countersign_options_set(options, countersign_text("store"), countersign_text(arguments[1]));
  countersign_options_set(options, countersign_text("broker"), countersign_text("speed-c"));
  CHECK(countersign_gate_open(options, NULL, NULL, &gate) == COUNTERSIGN_OK);
  CHECK(countersign_options_free(options) == COUNTERSIGN_OK);
  facts.size = sizeof facts;
  facts.handle = 1;
  facts.client_id = countersign_text("sensor-1");
  facts.username = countersign_text(arguments[2]);
  facts.password = countersign_text(arguments[3]);
  facts.protocol = 4;
  facts.flags = COUNTERSIGN_CLEAN_START;
  CHECK(countersign_gate_connect(gate, &facts, &decision) == COUNTERSIGN_OK);
  CHECK(decision.outcome == COUNTERSIGN_OUTCOME_ADMITTED);

  rounds = atol(arguments[4]);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  for (round = 0; round < rounds; round++) {
    use.size = sizeof use;
    use.handle = 1;
    use.client_id = facts.client_id;
    use.username = facts.username;
    use.topic.data = "acme/plant/line/temperature";
    use.topic.length = 27;
    use.action = COUNTERSIGN_PUBLISH;
    use.qos = 1;
    use.connected = 1;
    CHECK(countersign_gate_check(gate, &use, &verdict) == COUNTERSIGN_OK && verdict.allowed);
  }
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &stop);
  printf("%.1f\n", ((double)(stop.tv_sec - start.tv_sec) * 1e9 +
                    (double)(stop.tv_nsec - start.tv_nsec)) /
                       (double)rounds);
  CHECK(countersign_gate_close(gate) == COUNTERSIGN_OK);
  return 0;
}
