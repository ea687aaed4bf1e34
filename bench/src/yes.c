/* A plugin that lets everybody do everything and has a thread that sleeps: what
   any plugin with a thread costs a broker. The C library and the kernel take more
   time for most calls of a process that has two. */

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

/* mosquitto_broker.h, of which this needs no more. */
int mosquitto_callback_register(void *identifier, int event, int (*callback)(int, void *, void *),
                                const void *data, void *userdata);
enum { ACL_CHECK = 2, BASIC_AUTH = 3, TICK = 9, DISCONNECT = 10 };

static int yes(int event, void *data, void *userdata) {
    (void)event, (void)data, (void)userdata;
    return 0;
}

static void *sleeping(void *nothing) {
    for (;;)
        sleep(1000);
    return nothing;
}

int mosquitto_plugin_version(int count, const int *versions) {
    (void)count, (void)versions;
    return 5;
}

int mosquitto_plugin_init(void *identifier, void **userdata, void *options, int count) {
    static const int events[] = {ACL_CHECK, BASIC_AUTH, TICK, DISCONNECT};
    pthread_t thread;

    (void)userdata, (void)options, (void)count;
    for (size_t index = 0; index < sizeof events / sizeof *events; index++)
        if (mosquitto_callback_register(identifier, events[index], yes, NULL, NULL))
            return 1;
    return pthread_create(&thread, NULL, sleeping, NULL) != 0;
}

int mosquitto_plugin_cleanup(void *userdata, void *options, int count) {
    (void)userdata, (void)options, (void)count;
    return 0;
}
