/* Reads what it freed. A watcher that does not say so is none. */
#include <countersign.h>

#include <stdlib.h>

int main(void) {
  volatile char *bytes = malloc(8);
  countersign_options *options;
  int sum = countersign_options_new(&options) != COUNTERSIGN_OK;
  if (!bytes)
    return 1;
  bytes[0] = 0;
  free((void *)bytes);
  sum += bytes[0];
  countersign_options_free(options);
  return sum == 12345;
}
