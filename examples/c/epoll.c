/*
 * A host in C that never waits: logins whose password must be hashed are held,
 * while one epoll loop goes on serving everybody else.
 *
 *   cc epoll.c $(pkg-config --cflags --libs countersign) -o epoll
 *   ./epoll countersign.db 1883
 *
 * It speaks as much of MQTT 3.1.1 as it takes to be let in and to publish:
 * CONNECT, PUBLISH with QoS 0 and 1, PINGREQ, DISCONNECT. A PUBLISH that is not
 * allowed ends the connection, which is all that MQTT 3.1.1 has for that. It
 * routes nothing: a broker would, where this one prints.
 */

#include <countersign.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_CLIENTS = 256, LONGEST_PACKET = 4096, LONGEST_NAME = 256 };

enum phase { FREE, NEW, WAITING, CONNECTED };

/* A connection. Its place in the table is its handle. */
struct client {
  enum phase phase;
  int fd;
  uint64_t ticket;
  char address[INET_ADDRSTRLEN];
  char client_id[LONGEST_NAME];
  size_t client_id_length;
  char username[LONGEST_NAME];
  size_t username_length;
  int has_username;
  unsigned char packet[LONGEST_PACKET];
  size_t length;
};

static struct client clients[MOST_CLIENTS];
static countersign_gate *gate;

static void die(const char *what) {
  char line[512];
  countersign_last_message(line, sizeof line, NULL);
  fprintf(stderr, "%s: %s\n", what, line);
  exit(1);
}

static void wake(void *user) {
  eventfd_write(*(const int *)user, 1);
}

static size_t handle_of(const struct client *client) {
  return (size_t)(client - clients);
}

static void end(struct client *client) {
  if (client->phase == FREE)
    return;
  close(client->fd);
  client->phase = FREE;
  countersign_gate_disconnected(gate, handle_of(client));
}

static void answer(struct client *client, const unsigned char *bytes, size_t length) {
  /* Too short to fill a socket's buffer; whoever does not read is ended. */
  if (send(client->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
    end(client);
}

static void connack(struct client *client, unsigned char code) {
  const unsigned char bytes[] = {0x20, 2, 0, code};
  answer(client, bytes, sizeof bytes);
  if (client->phase != FREE && code != 0)
    end(client);
}

/* From a decision or an event: the user name is what the gate says, or none. */
static int take_username(struct client *client, countersign_bytes username) {
  if (username.length > sizeof client->username)
    return 0;
  client->has_username = username.data != NULL;
  client->username_length = username.length;
  if (username.data)
    memcpy(client->username, username.data, username.length);
  return 1;
}

static void take_log(countersign_bytes line) {
  if (line.data)
    printf("log: %s\n", line.data);
}

/* A string of MQTT 3.1.1, section 1.5.3. */
static int take_string(const unsigned char **at, const unsigned char *stop,
                       countersign_bytes *string) {
  size_t length;
  if (stop - *at < 2)
    return 0;
  length = (size_t)(*at)[0] << 8 | (*at)[1];
  *at += 2;
  if ((size_t)(stop - *at) < length)
    return 0;
  string->data = (const char *)*at;
  string->length = length;
  *at += length;
  return 1;
}

/* Section 3.1. */
static int take_connect(struct client *client, const unsigned char *at,
                        const unsigned char *stop) {
  countersign_connect_facts facts = {0};
  countersign_decision decision;
  countersign_bytes name, will;
  unsigned char flags;

  if (!take_string(&at, stop, &name) || name.length != 4 || memcmp(name.data, "MQTT", 4) != 0 ||
      stop - at < 4 || at[0] != 4)
    return 0;
  flags = at[1];
  at += 4;
  if (!take_string(&at, stop, &facts.client_id) || facts.client_id.length == 0 ||
      facts.client_id.length > sizeof client->client_id)
    return 0;
  if (flags & 0x04 && (!take_string(&at, stop, &will) || !take_string(&at, stop, &will)))
    return 0;
  if (flags & 0x80 && !take_string(&at, stop, &facts.username))
    return 0;
  if (flags & 0x40 && !take_string(&at, stop, &facts.password))
    return 0;
  memcpy(client->client_id, facts.client_id.data, facts.client_id.length);
  client->client_id_length = facts.client_id.length;

  facts.size = sizeof facts;
  facts.handle = handle_of(client);
  facts.address = countersign_text(client->address);
  facts.protocol = 4;
  facts.flags = COUNTERSIGN_MAY_WAIT | (flags & 0x02 ? COUNTERSIGN_CLEAN_START : 0);
  countersign_gate_connect(gate, &facts, &decision);
  take_log(decision.line);
  if (decision.outcome == COUNTERSIGN_OUTCOME_PENDING) {
    client->phase = WAITING;
    client->ticket = decision.ticket;
    printf("held: %.*s\n", (int)client->client_id_length, client->client_id);
    return 1;
  }
  if (decision.outcome == COUNTERSIGN_OUTCOME_REFUSED && decision.code == 0x89) {
    end(client); /* No time to look: it tries again, as after a lost connection. */
    return 1;
  }
  if (decision.outcome != COUNTERSIGN_OUTCOME_ADMITTED || !take_username(client, decision.username)) {
    connack(client, 5);
    return 1;
  }
  client->phase = CONNECTED;
  connack(client, 0);
  return 1;
}

/* Section 3.3. */
static int take_publish(struct client *client, unsigned char first, const unsigned char *at,
                        const unsigned char *stop) {
  countersign_use use = {0};
  countersign_verdict verdict;

  use.qos = first >> 1 & 3;
  use.retain = first & 1;
  if (use.qos > 1 || !take_string(&at, stop, &use.topic) || (use.qos == 1 && stop - at < 2))
    return 0;
  use.size = sizeof use;
  use.handle = handle_of(client);
  use.client_id.data = client->client_id;
  use.client_id.length = client->client_id_length;
  if (client->has_username) {
    use.username.data = client->username;
    use.username.length = client->username_length;
  }
  use.action = COUNTERSIGN_PUBLISH;
  use.connected = 1;
  countersign_gate_check(gate, &use, &verdict);
  if (!verdict.allowed) {
    printf("denied: %.*s: %s\n", (int)use.topic.length, use.topic.data,
           countersign_reason_text((uint32_t)verdict.reason));
    return 0;
  }
  printf("published: %.*s\n", (int)use.topic.length, use.topic.data);
  if (use.qos == 1) {
    const unsigned char puback[] = {0x40, 2, at[0], at[1]};
    answer(client, puback, sizeof puback);
  }
  return 1;
}

/* One packet; 0 ends the connection. While a login is held, its client says
 * nothing that counts. */
static int take_packet(struct client *client, unsigned char first, const unsigned char *at,
                       const unsigned char *stop) {
  const unsigned char pingresp[] = {0xd0, 0};
  if (client->phase == NEW)
    return first == 0x10 && take_connect(client, at, stop);
  if (client->phase != CONNECTED)
    return 0;
  switch (first >> 4) {
  case 3:
    return take_publish(client, first, at, stop);
  case 12:
    answer(client, pingresp, sizeof pingresp);
    return 1;
  default: /* DISCONNECT, and what this host does not speak. */
    return 0;
  }
}

static void receive(struct client *client) {
  ssize_t count = recv(client->fd, client->packet + client->length,
                       sizeof client->packet - client->length, MSG_DONTWAIT);
  if (count <= 0) {
    if (count == 0 || (errno != EAGAIN && errno != EINTR))
      end(client);
    return;
  }
  client->length += (size_t)count;
  while (client->phase != FREE && client->length >= 2) {
    size_t rest = 0, head = 1;
    unsigned char byte;
    do { /* Section 2.2.3. */
      if (head > 4) {
        end(client);
        return;
      }
      if (head == client->length)
        return;
      byte = client->packet[head];
      rest |= (size_t)(byte & 0x7f) << (7 * (head - 1));
      head++;
    } while (byte & 0x80);
    if (head + rest > sizeof client->packet) {
      end(client);
      return;
    }
    if (head + rest > client->length)
      return;
    if (!take_packet(client, client->packet[0], client->packet + head,
                     client->packet + head + rest)) {
      end(client);
      return;
    }
    client->length -= head + rest;
    memmove(client->packet, client->packet + head + rest, client->length);
  }
}

static void welcome(int epoll_fd, int listener) {
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  struct epoll_event wanted = {0};
  int fd = accept(listener, (struct sockaddr *)&from, &size);
  int index = 0;

  if (fd < 0)
    return;
  while (index < MOST_CLIENTS && clients[index].phase != FREE)
    index++;
  if (index == MOST_CLIENTS) {
    close(fd);
    return;
  }
  memset(&clients[index], 0, sizeof clients[index]);
  clients[index].phase = NEW;
  clients[index].fd = fd;
  inet_ntop(AF_INET, &from.sin_addr, clients[index].address, sizeof clients[index].address);
  wanted.events = EPOLLIN;
  wanted.data.u32 = (uint32_t)index;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &wanted);
}

/* A login that was held is decided. */
static void complete(const countersign_event *event) {
  struct client *client = &clients[event->handle];
  int is_here =
      event->handle < MOST_CLIENTS && client->phase == WAITING && client->ticket == event->ticket;

  if (is_here && event->admitted && take_username(client, event->username)) {
    client->phase = CONNECTED;
    connack(client, 0);
    countersign_gate_completed(gate, event->ticket, client->phase == CONNECTED);
    return;
  }
  if (event->admitted)
    countersign_gate_completed(gate, event->ticket, 0);
  if (is_here)
    connack(client, 5);
}

static void poll_gate(void) {
  countersign_events *events;
  countersign_event event;

  countersign_gate_poll(gate, &events);
  while (countersign_events_next(events, &event) == COUNTERSIGN_OK) {
    take_log(event.line);
    if (event.kind == COUNTERSIGN_EVENT_KICK && event.handle < MOST_CLIENTS)
      end(&clients[event.handle]);
    else if (event.kind == COUNTERSIGN_EVENT_COMPLETE)
      complete(&event);
  }
  countersign_events_free(events);
}

static int listen_on(const char *port) {
  struct sockaddr_in here = {0};
  socklen_t size = sizeof here;
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  here.sin_family = AF_INET;
  here.sin_port = htons((uint16_t)atoi(port));
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, (struct sockaddr *)&here, &size) != 0) {
    perror("listen");
    exit(1);
  }
  printf("listening on %d\n", ntohs(here.sin_port));
  return fd;
}

int main(int count, char **arguments) {
  enum { LISTENER = MOST_CLIENTS, WAKE, SIGNAL };
  countersign_options *options;
  struct epoll_event wanted = {0}, ready[64];
  int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  int listener, signal_fd, is_over = 0;
  sigset_t signals;

  if (count != 3) {
    fprintf(stderr, "usage: epoll STORE PORT\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);

  if (countersign_options_new(&options) != COUNTERSIGN_OK ||
      countersign_options_set(options, countersign_text("store"),
                              countersign_text(arguments[1])) != COUNTERSIGN_OK ||
      countersign_options_set(options, countersign_text("broker"),
                              countersign_text("epoll-c")) != COUNTERSIGN_OK ||
      countersign_gate_open(options, wake, &wake_fd, &gate) != COUNTERSIGN_OK)
    die("open");
  countersign_options_free(options);

  listener = listen_on(arguments[2]);
  wanted.events = EPOLLIN;
  wanted.data.u32 = LISTENER;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &wanted);
  wanted.data.u32 = WAKE;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &wanted);
  wanted.data.u32 = SIGNAL;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &wanted);

  while (!is_over) {
    int number = epoll_wait(epoll_fd, ready, sizeof ready / sizeof *ready, 100);
    for (int index = 0; index < number; index++) {
      uint32_t what = ready[index].data.u32;
      eventfd_t woken;
      if (what == LISTENER)
        welcome(epoll_fd, listener);
      else if (what == WAKE)
        eventfd_read(wake_fd, &woken);
      else if (what == SIGNAL)
        is_over = 1;
      else if (clients[what].phase != FREE)
        receive(&clients[what]);
    }
    poll_gate();
  }
  for (int index = 0; index < MOST_CLIENTS; index++)
    end(&clients[index]);
  if (countersign_gate_close(gate) != COUNTERSIGN_OK)
    die("close");
  close(signal_fd);
  close(listener);
  close(epoll_fd);
  close(wake_fd);
  return 0;
}
