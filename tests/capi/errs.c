/* Reads what it freed. A watcher that does not say so is none. */
#include <countersign.h>

#include <stdlib.h>

int main(void) {
  /* Volatile, so that compilers don't see it. */
  char *volatile bytes = malloc(8);
  countersign_options *options;
  int sum = countersign_options_new(&options) != COUNTERSIGN_OK;
  if (!bytes)
    return 1;
  bytes[0] = 0;
  free(bytes);
  sum += bytes[0];
  countersign_options_free(options);
  return sum == 7;
}
