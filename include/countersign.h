/*
 * SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * countersign.h: authentication and authorisation for any MQTT broker.
 *
 * A broker opens a gate on a store, and asks it who may come in and what they may
 * publish and subscribe to. Credentials, tenants and rules are in the store, which
 * the program `countersign`, or the last part of this header, administers while
 * brokers run. docs/embedding.md is a first hour with it; examples/c has two hosts.
 *
 * A WHOLE HOST
 *
 *     countersign_options *options;
 *     countersign_gate *gate;
 *     countersign_options_new(&options);
 *     countersign_options_set(options, countersign_text("store"), countersign_text(path));
 *     countersign_options_set(options, countersign_text("broker"), countersign_text("edge-1"));
 *     if (countersign_gate_open(options, wake, &wake_fd, &gate) != COUNTERSIGN_OK)
 *         die();                            // countersign_last_message() says why
 *     countersign_options_free(options);
 *
 *   for each CONNECT:
 *
 *     countersign_connect_facts facts = {0};
 *     facts.size = sizeof facts;
 *     facts.handle = (uintptr_t)connection;
 *     facts.client_id = ...; facts.username = ...; facts.password = ...;
 *     facts.protocol = 4;
 *     facts.flags = COUNTERSIGN_CLEAN_START;
 *     countersign_decision decision;
 *     countersign_gate_connect(gate, &facts, &decision);
 *     if (decision.outcome != COUNTERSIGN_OUTCOME_ADMITTED)
 *         refuse();                         // decision.code, decision.line
 *
 *   for each PUBLISH, SUBSCRIBE, delivery and Will:
 *
 *     countersign_use use = {0};
 *     use.size = sizeof use;
 *     use.handle = ...; use.client_id = ...; use.username = ...; use.connected = 1;
 *     use.action = COUNTERSIGN_PUBLISH;
 *     use.topic = ...; use.qos = 1;
 *     countersign_verdict verdict;
 *     countersign_gate_check(gate, &use, &verdict);
 *     if (!verdict.allowed)
 *         drop();
 *
 *   when it was woken, and at least every 100 ms:
 *
 *     countersign_events *events;
 *     countersign_event event;
 *     countersign_gate_poll(gate, &events);
 *     while (countersign_events_next(events, &event) == COUNTERSIGN_OK)
 *         ...                               // kick, end a wait, log, send a reply
 *     countersign_events_free(events);
 *
 *   when a connection is gone: countersign_gate_disconnected(gate, handle);
 *   in the end:                countersign_gate_close(gate);
 *
 * PEOPLE
 *
 * Users, applications, things and tokens log in as devices do. A host does two more
 * things for them.
 *
 *   A CONNECT of MQTT 5.0 with an Authentication Method; a user may be asked for a
 *   code:
 *
 *     countersign_gate_connect_enhanced(gate, &facts, method, data, &decision);
 *     if (decision.outcome == COUNTERSIGN_OUTCOME_CHALLENGE)
 *         send_auth(0x18, method, decision.challenge);
 *     else if (decision.outcome != COUNTERSIGN_OUTCOME_ADMITTED)
 *         refuse();
 *
 *   when its client answers with an AUTH; until then it is nobody:
 *
 *     countersign_gate_resume(gate, handle, client_id, data, &decision);
 *     if (decision.outcome != COUNTERSIGN_OUTCOME_ADMITTED)
 *         ...                               // as above: it may be asked again
 *
 *   a PUBLISH on the topic of commands, once it was checked:
 *
 *     if (is_same(use.topic, countersign_session_topic()))
 *         countersign_gate_command(gate, &use, payload);
 *     else
 *         route();
 *
 *   and what comes of it, from a poll:
 *
 *     if (event.kind == COUNTERSIGN_EVENT_REPLY)
 *         send(event.handle, event.topic, event.payload);   // to this client alone
 *
 * A connection that a certificate or a pre-shared key vouches for sends no login. Say
 * countersign_gate_arrived() when it is let in, and how it came with each use.
 *
 * DEVICES
 *
 * The last part of this header makes devices and ends them: a program that brings
 * devices into service needs no other. What they may do is policy, and stays with
 * the program `countersign`: roles and their rules, which groups hold them, what a
 * tenant gives by default and to clients without a login, operators, and taking
 * topics from the tenant that owns `#`. A device gets its share of that by the groups
 * it is in and the roles it holds:
 *
 *     countersign_bytes group = countersign_text("plant.hall2");
 *     countersign_bytes role = countersign_text("sensor");
 *     countersign_new_credential wanted = {0};
 *     wanted.size = sizeof wanted;
 *     wanted.tenant = countersign_text("acme");
 *     wanted.name = countersign_text("dev1");
 *     wanted.secret = ...;                  // given out elsewhere; or generated
 *     wanted.groups = &group;
 *     wanted.group_count = 1;
 *     wanted.roles = &role;
 *     wanted.role_count = 1;
 *     countersign_issued *issued;
 *     countersign_credential_create_with(store, &wanted, &issued);
 *
 * IT FAILS CLOSED
 *
 * Whatever a function answers through a pointer is set to "no" (refused, denied,
 * NULL, nothing) before anything else is looked at. So a program that overlooks a
 * status, passes nonsense, or meets a panic inside the library refuses. A number
 * that a program does not know (more may come) means "no" as well: compare with
 * COUNTERSIGN_OUTCOME_ADMITTED, and not with COUNTERSIGN_OUTCOME_REFUSED.
 *
 * OBJECTS AND THREADS
 *
 * Every object (countersign_gate, _options, _events, _store, _issued) belongs to the
 * thread that made it. Any other thread is answered COUNTERSIGN_WRONG_THREAD. It also
 * belongs to whoever called the function that made it, and is ended by its `_free` or
 * `_close`, once. The pointers are numbers that the library looks up and never
 * follows: using an object that was ended, or ending it twice, is answered
 * COUNTERSIGN_INVALID_OBJECT and does no harm. What is left when a thread ends is
 * ended with it. Functions without an object may be called by any thread. A process
 * that forks opens its gates after it did: a child has none of the gate's threads,
 * and uses none of its parent's objects.
 *
 * STRUCTURES AND NUMBERS
 *
 * Structures that a program fills begin with `size`; fill them with zeroes first. They
 * grow at their end: a library takes the sizes of its own header and of those before,
 * and answers COUNTERSIGN_UNSUPPORTED to any other. Fields named `reserved` are 0. A
 * number of an enumeration never gets another meaning.
 */

#ifndef COUNTERSIGN_H
#define COUNTERSIGN_H

/* Written by `cargo xtask codegen` from crates/capi. Do not edit. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** The version of this header; countersign_version() is the library's. */
#define COUNTERSIGN_VERSION "0.1.0"
#define COUNTERSIGN_VERSION_MAJOR 0
#define COUNTERSIGN_VERSION_MINOR 1

/**
 * A CONNECT starts without a stored session: Clean Start of MQTT 5.0, Clean
 * Session of 3.1.1.
 */
#define COUNTERSIGN_CLEAN_START 1

/**
 * The host can hold this CONNECT until countersign_gate_poll() ends its wait.
 */
#define COUNTERSIGN_MAY_WAIT 2

/**
 * The `secret` of a countersign_new_credential may have fewer than 64 random bits.
 * It is hashed like a password then, which takes tens of milliseconds.
 */
#define COUNTERSIGN_MAY_BE_WEAK 1

/**
 * How a call ended.
 *
 * Whatever the status, everything a function answers through a pointer was
 * set to "no" (refused, denied, NULL, nothing) before anything was read, so a
 * caller that overlooks a status refuses.
 */
typedef enum countersign_status {
  /**
   * Done.
   */
  COUNTERSIGN_OK = 0,
  /**
   * There is nothing more; only countersign_events_next() says so.
   */
  COUNTERSIGN_DONE = 1,
  /**
   * A pointer is NULL that must not be.
   */
  COUNTERSIGN_NULL = 2,
  /**
   * A pointer to one of the library's objects is none, or of another type,
   * or was freed.
   */
  COUNTERSIGN_INVALID_OBJECT = 3,
  /**
   * The object belongs to another thread.
   */
  COUNTERSIGN_WRONG_THREAD = 4,
  /**
   * The object is in use further up this thread's stack.
   */
  COUNTERSIGN_BUSY = 5,
  /**
   * An argument has a shape that nothing valid has: a text that is no UTF-8,
   * an unknown flag or number, a name with a control character.
   */
  COUNTERSIGN_MALFORMED = 6,
  /**
   * Bytes are longer than 65535, which no string of MQTT is.
   */
  COUNTERSIGN_TOO_LONG = 7,
  /**
   * An option is unknown, given twice, missing, of a value that it can't
   * have, or can't change while the gate is open.
   */
  COUNTERSIGN_BAD_OPTION = 8,
  /**
   * The store can't be read or written; the message says why.
   */
  COUNTERSIGN_STORE = 9,
  /**
   * There is one already.
   */
  COUNTERSIGN_EXISTS = 10,
  /**
   * There is none.
   */
  COUNTERSIGN_MISSING = 11,
  /**
   * The act has no meaning in this state, or its rules forbid it.
   */
  COUNTERSIGN_REFUSED = 12,
  /**
   * Something went wrong inside the library. What was asked is refused.
   */
  COUNTERSIGN_PANIC = 13,
  /**
   * The `size` of a structure is not the one this library knows: the
   * program was built with the header of another version.
   */
  COUNTERSIGN_UNSUPPORTED = 14,
  /**
   * The operating system gave no thread, no randomness or no memory.
   */
  COUNTERSIGN_SYSTEM = 15,
  /**
   * The buffer is too short; it holds the beginning.
   */
  COUNTERSIGN_TRUNCATED = 16,
  /**
   * This thread has 65535 objects already.
   */
  COUNTERSIGN_TOO_MANY = 17,
} countersign_status;

/**
 * What became of a CONNECT. What a program does not know it refuses.
 */
typedef enum countersign_outcome {
  /**
   * Refuse it.
   */
  COUNTERSIGN_OUTCOME_REFUSED = 0,
  /**
   * Let it in.
   */
  COUNTERSIGN_OUTCOME_ADMITTED = 1,
  /**
   * Neither yet: hold it until an event COUNTERSIGN_EVENT_COMPLETE comes with
   * this ticket. Until then, and if none comes, it is nobody.
   */
  COUNTERSIGN_OUTCOME_PENDING = 2,
  /**
   * Neither yet: send its client an AUTH (MQTT 5.0, section 3.15) with reason
   * code 0x18, the method of its CONNECT and `challenge`, and give what it
   * answers to countersign_gate_resume(). Until then, and if nothing comes, it
   * is nobody. Only countersign_gate_connect_enhanced() asks.
   */
  COUNTERSIGN_OUTCOME_CHALLENGE = 3,
} countersign_outcome;

/**
 * Why something was refused: for the log and the audit, never for a client.
 */
typedef enum countersign_reason {
  /**
   * Nothing was refused.
   */
  COUNTERSIGN_REASON_NONE = 0,
  /**
   * The secret is not the one stored.
   */
  COUNTERSIGN_REASON_BAD_SECRET = 1,
  /**
   * The client id breaks the credential's rule.
   */
  COUNTERSIGN_REASON_CLIENT_ID_MISMATCH = 2,
  /**
   * The client id belongs to somebody else.
   */
  COUNTERSIGN_REASON_CLIENT_ID_OWNED = 3,
  /**
   * A deny rule matched.
   */
  COUNTERSIGN_REASON_DENIED_BY_RULE = 4,
  /**
   * The credential's time is over.
   */
  COUNTERSIGN_REASON_EXPIRED = 5,
  /**
   * The user is locked out for now.
   */
  COUNTERSIGN_REASON_LOCKED = 6,
  /**
   * A name, client id or topic has a shape that nothing valid has.
   */
  COUNTERSIGN_REASON_MALFORMED = 7,
  /**
   * The code of the second factor is missing.
   */
  COUNTERSIGN_REASON_MFA_REQUIRED = 8,
  /**
   * No allow rule matched.
   */
  COUNTERSIGN_REASON_NO_RULE = 9,
  /**
   * The credential's time has not come.
   */
  COUNTERSIGN_REASON_NOT_YET_VALID = 10,
  /**
   * The topic belongs to another tenant.
   */
  COUNTERSIGN_REASON_OTHER_TENANT = 11,
  /**
   * Nothing was found wrong; there was only no time to look.
   */
  COUNTERSIGN_REASON_OVER_BUDGET = 12,
  /**
   * The credential was revoked.
   */
  COUNTERSIGN_REASON_REVOKED = 13,
  /**
   * The store was locked for longer than a login may wait.
   */
  COUNTERSIGN_REASON_STORE_BUSY = 14,
  /**
   * The store could not be read.
   */
  COUNTERSIGN_REASON_STORE_UNAVAILABLE = 15,
  /**
   * The credential is suspended.
   */
  COUNTERSIGN_REASON_SUSPENDED = 16,
  /**
   * This principal may use listeners with TLS only.
   */
  COUNTERSIGN_REASON_TLS_REQUIRED = 17,
  /**
   * No valid login, where one is required.
   */
  COUNTERSIGN_REASON_UNAUTHENTICATED = 18,
  /**
   * Nobody has this name.
   */
  COUNTERSIGN_REASON_UNKNOWN_NAME = 19,
  /**
   * The name's suffix is no tenant.
   */
  COUNTERSIGN_REASON_UNKNOWN_TENANT = 20,
  /**
   * The listener takes another tenant's principals.
   */
  COUNTERSIGN_REASON_WRONG_LISTENER = 21,
  /**
   * The call itself failed; its status says how.
   */
  COUNTERSIGN_REASON_CALL_FAILED = 22,
  /**
   * Too many logins failed before this one, which was not looked at.
   */
  COUNTERSIGN_REASON_TOO_MANY_FAILURES = 23,
  /**
   * There are as many as there may be.
   */
  COUNTERSIGN_REASON_OVER_LIMIT = 24,
  /**
   * The credential has as many client ids with stored sessions as it may.
   */
  COUNTERSIGN_REASON_CLIENT_ID_LIMIT = 25,
  /**
   * The certificate's time is over.
   */
  COUNTERSIGN_REASON_CERTIFICATE_EXPIRED = 26,
  /**
   * The certificate is no credential's, or not that of the name that was
   * given.
   */
  COUNTERSIGN_REASON_CERTIFICATE_UNKNOWN = 27,
  /**
   * The address or the client id is banned.
   */
  COUNTERSIGN_REASON_BANNED = 28,
  /**
   * The keys of the token's issuer were fetched too long ago, or never.
   */
  COUNTERSIGN_REASON_KEYS_OUTDATED = 29,
  /**
   * The replica has not heard from its centre for too long.
   */
  COUNTERSIGN_REASON_STALE = 30,
  /**
   * The centre is asked to register the client, which gets in when it comes
   * again.
   */
  COUNTERSIGN_REASON_REGISTERING = 31,
} countersign_reason;

/**
 * What the host is to do. What a program does not know it leaves alone.
 */
typedef enum countersign_event_kind {
  /**
   * Nothing.
   */
  COUNTERSIGN_EVENT_NONE = 0,
  /**
   * End the connection `handle`, sending its Will, and say so with
   * countersign_gate_disconnected(). `line` is for the log.
   */
  COUNTERSIGN_EVENT_KICK = 1,
  /**
   * End the wait of the CONNECT `ticket` on connection `handle`: let it in if
   * `admitted` is 1, with `username` as in a decision, else refuse it. If it is
   * let in, say with countersign_gate_completed() whether its client was still
   * there.
   */
  COUNTERSIGN_EVENT_COMPLETE = 2,
  /**
   * Write `line` to the host's log, as grave as `level` says.
   */
  COUNTERSIGN_EVENT_LOG = 3,
  /**
   * Send `payload` on `topic` to the connection `handle` alone, at QoS 1 and
   * not retained, whether it subscribed or not and without asking
   * countersign_gate_check(), which denies it. If the client id is another
   * connection's by now, send nothing. It may hold what nobody else may see.
   */
  COUNTERSIGN_EVENT_REPLY = 4,
} countersign_event_kind;

/**
 * How grave a line for the log is.
 */
typedef enum countersign_level {
  /**
   * Something does not work.
   */
  COUNTERSIGN_LEVEL_ERROR = 0,
  /**
   * Something may soon not work.
   */
  COUNTERSIGN_LEVEL_WARNING = 1,
  /**
   * Something is worth knowing.
   */
  COUNTERSIGN_LEVEL_NOTICE = 2,
} countersign_level;

/**
 * What a client does with a topic.
 */
typedef enum countersign_action {
  /**
   * It receives a message that was published on this topic.
   */
  COUNTERSIGN_DELIVER = 1,
  /**
   * It publishes a message on this topic, a Will included.
   */
  COUNTERSIGN_PUBLISH = 2,
  /**
   * It subscribes to this filter, `$share/…` included.
   */
  COUNTERSIGN_SUBSCRIBE = 3,
  /**
   * It gives up a subscription, which it always may.
   */
  COUNTERSIGN_UNSUBSCRIBE = 4,
} countersign_action;

/**
 * What a poll came to: events, to be taken one by one.
 */
typedef struct countersign_events countersign_events;

/**
 * A gate: what decides for one broker.
 */
typedef struct countersign_gate countersign_gate;

/**
 * What a credential was given when it was made or given another secret: to be
 * handed to the device, once.
 */
typedef struct countersign_issued countersign_issued;

/**
 * Options, as a broker's configuration gives them.
 *
 * `store` (the path of the store) and `broker` (this broker's name, one of its
 * own for each broker that uses the store) must be given. The others are
 * `chain`, `default_tenant`, `hash_budget`, `hash_round`, `hash_threads`,
 * `listener_PORT`, `max_staleness`, `tls_listeners` and `when_stale`;
 * docs/reference/options.md says what they mean. (`dynsec_tenant` is for Rust hosts
 * and the plugin alone.)
 */
typedef struct countersign_options countersign_options;

/**
 * A store that is open for administration.
 *
 * It may be used beside any number of gates and programs on the same store;
 * what is done reaches every gate within milliseconds.
 */
typedef struct countersign_store countersign_store;

/**
 * Bytes with their length. NUL is a byte like any other.
 *
 * As an argument: `data` NULL and `length` 0 is "absent"; any other `data` with
 * `length` 0 is "there, and empty". At most 65535 bytes, the longest string of
 * MQTT. The library reads them during the call and keeps no pointer to them.
 *
 * As an answer: NULL is "absent"; else `data[length]` is NUL, which `length`
 * does not count.
 */
typedef struct countersign_bytes {
  /**
   * The first byte.
   */
  const char *data;
  /**
   * How many there are.
   */
  size_t length;
} countersign_bytes;

/**
 * Makes the host call countersign_gate_poll() soon: it writes to an eventfd or
 * a pipe, say. `user` is what countersign_gate_open() was given.
 *
 * It is called from the gate's own threads, several at once perhaps, again and
 * again until the host polls, and on the host's thread during
 * countersign_gate_poll(). It must not block, and must not call this library.
 */
typedef void (*countersign_wake)(void *user);

/**
 * The fields of a CONNECT and where it came in. All bytes are as the client
 * sent them; the gate parses them.
 *
 * Fill it with zeroes first (`= {0}`), so that what is not set is absent.
 */
typedef struct countersign_connect_facts {
  /**
   * `sizeof(struct countersign_connect_facts)`.
   */
  size_t size;
  /**
   * The host's own number for this connection, a pointer's value, say. It is
   * never followed, and may be used again when the connection is gone.
   */
  size_t handle;
  /**
   * The client identifier, after the host replaced an empty one.
   */
  struct countersign_bytes client_id;
  /**
   * The user name field, or absent.
   */
  struct countersign_bytes username;
  /**
   * The password field, or absent.
   */
  struct countersign_bytes password;
  /**
   * The peer's address as text, such as `192.0.2.1`, or absent.
   */
  struct countersign_bytes address;
  /**
   * COUNTERSIGN_CLEAN_START, COUNTERSIGN_MAY_WAIT.
   */
  uint32_t flags;
  /**
   * The local port it came in by; 0 if the host can't tell.
   */
  uint16_t listener;
  /**
   * 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
   */
  uint8_t protocol;
  /**
   * 0.
   */
  uint8_t reserved;
} countersign_connect_facts;

/**
 * The decision about a CONNECT.
 *
 * What it points to is good until the next countersign_gate_connect(),
 * countersign_gate_connect_enhanced() or countersign_gate_resume() on this gate,
 * or its end.
 */
typedef struct countersign_decision {
  /**
   * What to do.
   */
  enum countersign_outcome outcome;
  /**
   * Why it is refused.
   */
  enum countersign_reason reason;
  /**
   * The reason code for a CONNACK of MQTT 5.0: 0 if it is let in, else 0x87
   * (not authorised), 0x89 (server busy), 0x8A (banned) or 0x8C (bad
   * authentication method). For MQTT 3.1.1 every refusal is 5 but 0x89: nothing
   * was found wrong, so close the connection without a CONNACK, and the client
   * tries again.
   */
  uint8_t code;
  /**
   * Names a CONNECT that waits.
   */
  uint64_t ticket;
  /**
   * What the host must take as the user name from now on, or while it waits;
   * absent: it must forget the one that was presented.
   */
  struct countersign_bytes username;
  /**
   * A line for the host's log, or absent.
   */
  struct countersign_bytes line;
  /**
   * The Authentication Data for an AUTH, which may be empty; absent with every
   * other outcome.
   */
  struct countersign_bytes challenge;
  /**
   * 0.
   */
  size_t reserved[2];
} countersign_decision;

/**
 * How a connection came about, as far as its host knows: of one that never sent
 * a login, because a certificate or a pre-shared key vouches for it.
 *
 * Fill it with zeroes first (`= {0}`).
 */
typedef struct countersign_origin {
  /**
   * `sizeof(struct countersign_origin)`.
   */
  size_t size;
  /**
   * The peer's address as text, or absent.
   */
  struct countersign_bytes address;
  /**
   * COUNTERSIGN_CLEAN_START.
   */
  uint32_t flags;
  /**
   * The local port it came in by; 0 if the host can't tell.
   */
  uint16_t listener;
  /**
   * 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0; 0 if the host can't tell.
   */
  uint8_t protocol;
  /**
   * 0.
   */
  uint8_t reserved;
} countersign_origin;

/**
 * The connection that uses a topic, as the host knows it at that moment, and
 * what it does.
 *
 * Fill it with zeroes first (`= {0}`).
 */
typedef struct countersign_use {
  /**
   * `sizeof(struct countersign_use)`.
   */
  size_t size;
  /**
   * The connection, by the number it had in its CONNECT.
   */
  size_t handle;
  /**
   * Its client id.
   */
  struct countersign_bytes client_id;
  /**
   * Its user name as the host has it now: what the decision said.
   */
  struct countersign_bytes username;
  /**
   * The topic, or of a subscription the filter.
   */
  struct countersign_bytes topic;
  /**
   * A number of `countersign_action`.
   */
  uint32_t action;
  /**
   * Of a PUBLISH: 0, 1 or 2.
   */
  uint8_t qos;
  /**
   * Of a PUBLISH: 1 if the message is to be retained, or clears what is; else 0.
   */
  uint8_t retain;
  /**
   * 1 if its client is connected; 0 if the host asks on behalf of one that is
   * away, for its queue or its Will.
   */
  uint8_t connected;
  /**
   * 0.
   */
  uint8_t reserved;
  /**
   * How it came, or NULL. Looked at only where countersign_gate_knows() says
   * that the gate does not know the connection.
   */
  const struct countersign_origin *origin;
  /**
   * Of a PUBLISH: how many bytes its payload has. A host that does not say it keeps no
   * limits of bytes.
   */
  size_t payload_length;
} countersign_use;

/**
 * May it be done?
 */
typedef struct countersign_verdict {
  /**
   * 1 if it may, 0 if it may not.
   */
  uint32_t allowed;
  /**
   * Why it may not.
   */
  enum countersign_reason reason;
} countersign_verdict;

/**
 * One event. What it points to is good until countersign_events_free().
 */
typedef struct countersign_event {
  /**
   * What to do.
   */
  enum countersign_event_kind kind;
  /**
   * Of COUNTERSIGN_EVENT_LOG, and of a `line` of the others.
   */
  enum countersign_level level;
  /**
   * 1: let it in. 0: refuse it.
   */
  uint32_t admitted;
  /**
   * The connection.
   */
  size_t handle;
  /**
   * What countersign_gate_connect() named the CONNECT that waits.
   */
  uint64_t ticket;
  /**
   * The connection's client id, or absent.
   */
  struct countersign_bytes client_id;
  /**
   * What the host must take as the user name; absent: none.
   */
  struct countersign_bytes username;
  /**
   * A line for the host's log, or absent.
   */
  struct countersign_bytes line;
  /**
   * The message of COUNTERSIGN_EVENT_REPLY; absent with every other kind. It may
   * be longer than 65535 bytes.
   */
  struct countersign_bytes payload;
  /**
   * The topic of COUNTERSIGN_EVENT_REPLY, NUL-terminated; NULL with every other
   * kind.
   */
  const char *topic;
  /**
   * 0.
   */
  size_t reserved;
} countersign_event;

/**
 * A credential to be made: what countersign_credential_create() takes, and what it
 * has from the beginning, so that it is at no moment without it.
 *
 * Fill it with zeroes first (`= {0}`), so that what is not set is absent.
 */
typedef struct countersign_new_credential {
  /**
   * `sizeof(struct countersign_new_credential)`.
   */
  size_t size;
  /**
   * The tenant's id. It must be there.
   */
  struct countersign_bytes tenant;
  /**
   * Its name, or absent for a scheme that makes names.
   */
  struct countersign_bytes name;
  /**
   * Its scheme, or absent for `basic`.
   */
  struct countersign_bytes scheme;
  /**
   * A password that somebody chose, or absent.
   */
  struct countersign_bytes password;
  /**
   * A secret that was given out elsewhere and is taken over, or absent. It must
   * have the form that the scheme takes, no other credential may have it, and
   * with `password` it is COUNTERSIGN_MALFORMED. Without both, a secret is
   * generated.
   */
  struct countersign_bytes secret;
  /**
   * The groups it is in, in the order in which it joins them; NULL if there are
   * none.
   */
  const struct countersign_bytes *groups;
  /**
   * How many groups there are, up to 32.
   */
  size_t group_count;
  /**
   * The roles of its tenant that it holds; NULL if there are none.
   */
  const struct countersign_bytes *roles;
  /**
   * How many roles there are, up to 1024.
   */
  size_t role_count;
  /**
   * COUNTERSIGN_MAY_BE_WEAK.
   */
  uint32_t flags;
  /**
   * 0.
   */
  uint32_t reserved;
} countersign_new_credential;

/**
 * What was issued. All of it is good until countersign_issued_free(), which
 * wipes it.
 */
typedef struct countersign_issued_fields {
  /**
   * What the other functions of this library take as its name.
   */
  struct countersign_bytes name;
  /**
   * What its client presents as user name.
   */
  struct countersign_bytes username;
  /**
   * The client id that it must present; absent when any will do.
   */
  struct countersign_bytes client_id;
  /**
   * Its secret; absent when somebody chose it, or when it was taken over.
   */
  struct countersign_bytes secret;
  /**
   * 0.
   */
  size_t reserved[4];
} countersign_issued_fields;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library that is loaded, such as "0.1.0". Compare it with
 * COUNTERSIGN_VERSION, the version of the header.
 *
 * Any thread. Never NULL; NUL-terminated; never freed.
 */
const char *countersign_version(void);

/**
 * The word that the audit and the program `countersign` use for a reason, such
 * as "bad-secret"; "" for COUNTERSIGN_REASON_NONE, for
 * COUNTERSIGN_REASON_CALL_FAILED and for a number that is none.
 *
 * Any thread. Never NULL; NUL-terminated; never freed.
 */
const char *countersign_reason_text(uint32_t reason);

/**
 * Copies what the last call that failed on this thread said: one line of
 * UTF-8, without a secret and without a line end.
 *
 * `buffer` gets at most `capacity` bytes, a NUL at their end among them, and
 * may be NULL if `capacity` is 0. `*length_out` (may be NULL) gets the length
 * of the whole line without NUL. Answers COUNTERSIGN_TRUNCATED if the line did
 * not fit.
 *
 * Any thread; each has a message of its own. Keeps nothing.
 *
 * The caller sees to it:
 * `buffer` is NULL or has `capacity` writable bytes; `length_out` is NULL or
 * writable.
 */
enum countersign_status countersign_last_message(char *buffer, size_t capacity, size_t *length_out);

/**
 * Makes options that hold nothing yet.
 *
 * The object belongs to this thread, and to the caller, who ends it with
 * countersign_options_free().
 *
 * The caller sees to it:
 * `options_out` is NULL or writable.
 */
enum countersign_status countersign_options_new(struct countersign_options **options_out);

/**
 * Sets an option. What it means, and whether it exists, is looked at when it
 * is used: by countersign_gate_open() or countersign_gate_change_options().
 *
 * The thread that made the object. Keeps copies.
 *
 * The caller sees to it:
 * `key` and `value` have as many bytes as they say.
 */
enum countersign_status countersign_options_set(struct countersign_options *options,
                                                struct countersign_bytes key,
                                                struct countersign_bytes value);

/**
 * Ends options. NULL is none.
 *
 * The thread that made the object. A second call answers
 * COUNTERSIGN_INVALID_OBJECT and does no harm.
 */
enum countersign_status countersign_options_free(struct countersign_options *options);

/**
 * Opens a gate.
 *
 * It is to be opened by the thread that handles packets, and belongs to it:
 * every other thread is answered COUNTERSIGN_WRONG_THREAD. A broker with
 * several such threads opens a gate in each, under different `broker` names.
 * It starts threads of its own, which take no signals, and ends them when it is
 * closed. The caller owns it, and may free the options at once.
 *
 * COUNTERSIGN_EXISTS says that a live broker uses the store under this name.
 * Without `wake` the host polls every 10 ms to be as quick.
 *
 * The caller sees to it:
 * `gate_out` is NULL or writable. `wake` is NULL or may be called by any thread
 * with `user`, from this call on until countersign_gate_close() returned or the
 * thread that opened the gate ended.
 */
enum countersign_status countersign_gate_open(struct countersign_options *options,
                                              countersign_wake wake,
                                              void *user,
                                              struct countersign_gate **gate_out);

/**
 * Takes over other options, and looks at the store anew: what a broker does on
 * SIGHUP.
 *
 * The tenants of listeners, the default tenant and the listeners with TLS hold
 * for every login from now on; live sessions stay. COUNTERSIGN_BAD_OPTION says
 * that `store`, `broker`, `hash_threads`, `hash_budget` or `hash_round` differ,
 * which hold as long as a gate is open, or that something is wrong with an option;
 * nothing changed then.
 *
 * The thread that opened the gate and made the options.
 */
enum countersign_status countersign_gate_change_options(struct countersign_gate *gate,
                                                        struct countersign_options *options);

/**
 * Closes a gate: writes down what is left, tells the store that nobody is
 * connected any more, and ends its threads. Logins that wait are dropped; a
 * password that is being hashed is waited for. NULL is none.
 *
 * The thread that opened it. A second call answers COUNTERSIGN_INVALID_OBJECT
 * and does no harm. A gate is closed as well when its thread ends.
 */
enum countersign_status countersign_gate_close(struct countersign_gate *gate);

/**
 * Decides about a CONNECT.
 *
 * `*decision_out` is "refused" before anything else is looked at. COUNTERSIGN_OK
 * says that the gate was asked, not that it let anybody in: look at `outcome`.
 * There is a session from COUNTERSIGN_OUTCOME_ADMITTED on, until
 * countersign_gate_disconnected().
 *
 * The thread that opened the gate. Reads everything during the call.
 *
 * The caller sees to it:
 * `facts` is NULL or as it says; what is in it has as many bytes as it says.
 * `decision_out` is NULL or writable.
 */
enum countersign_status countersign_gate_connect(struct countersign_gate *gate,
                                                 const struct countersign_connect_facts *facts,
                                                 struct countersign_decision *decision_out);

/**
 * Decides about a CONNECT of MQTT 5.0 that names an Authentication Method: it
 * asks for enhanced authentication (MQTT 5.0, section 4.12).
 *
 * `method` is the Authentication Method and `data` the Authentication Data, or
 * absent. `password` and COUNTERSIGN_MAY_WAIT in `facts` are not looked at. All
 * methods may be given; which there are the gate knows, and refuses the others
 * with code 0x8C. A CONNECT without a method is countersign_gate_connect()'s.
 *
 * `*decision_out` is "refused" before anything else is looked at. What comes is
 * COUNTERSIGN_OUTCOME_ADMITTED, _REFUSED or _CHALLENGE. The CONNACK of who is let
 * in names the method (MQTT 5.0, section 3.1.2.11.9).
 *
 * A live session that authenticates again (an AUTH with reason code 0x19) is let
 * in, COUNTERSIGN_OUTCOME_ADMITTED, if a token proved it, by OAUTH2-JWT or
 * CUSTOM-JWT, and it presents another token of that principal: the host answers AUTH
 * with code 0, and the session goes on until that token ends. Any other is asked for
 * nothing, COUNTERSIGN_OUTCOME_CHALLENGE with no data, and ended by the next poll.
 *
 * The thread that opened the gate. Reads everything during the call.
 *
 * The caller sees to it:
 * `facts` is NULL or as it says; what is in it, `method` and `data` have as many
 * bytes as they say. `decision_out` is NULL or writable.
 */
enum countersign_status countersign_gate_connect_enhanced(struct countersign_gate *gate,
                                                          const struct countersign_connect_facts *facts,
                                                          struct countersign_bytes method,
                                                          struct countersign_bytes data,
                                                          struct countersign_decision *decision_out);

/**
 * Goes on with a CONNECT that was answered COUNTERSIGN_OUTCOME_CHALLENGE, now that
 * its client sent an AUTH with this data, or without any.
 *
 * `*decision_out` is "refused" before anything else is looked at. An answer
 * counts once, and for a minute: what comes late, again, from another client id
 * or from nobody who was asked is refused with COUNTERSIGN_REASON_MFA_REQUIRED. A
 * live session that was asked nothing is asked again, for nothing, and the next
 * poll ends it.
 *
 * The thread that opened the gate. Reads everything during the call.
 *
 * The caller sees to it:
 * `client_id` and `data` have as many bytes as they say. `decision_out` is NULL or
 * writable.
 */
enum countersign_status countersign_gate_resume(struct countersign_gate *gate,
                                                size_t handle,
                                                struct countersign_bytes client_id,
                                                struct countersign_bytes data,
                                                struct countersign_decision *decision_out);

/**
 * Says that a CONNECT that waited was let in (`is_here` not 0) or that its
 * client was gone (0), after an event COUNTERSIGN_EVENT_COMPLETE that admits it.
 * Unknown tickets don't matter.
 *
 * The thread that opened the gate.
 */
enum countersign_status countersign_gate_completed(struct countersign_gate *gate,
                                                   uint64_t ticket,
                                                   uint32_t is_here);

/**
 * Says that a connection is gone, whoever ended it. Unknown ones don't matter.
 *
 * Its session still answers countersign_gate_check() for its Will, until this is
 * said again or the handle is used again.
 *
 * The thread that opened the gate.
 */
enum countersign_status countersign_gate_disconnected(struct countersign_gate *gate, size_t handle);

/**
 * Judges one use of a topic.
 *
 * `*verdict_out` is "denied" before anything else is looked at. COUNTERSIGN_OK
 * says that the gate was asked: look at `allowed`.
 *
 * The thread that opened the gate. Reads everything during the call.
 *
 * The caller sees to it:
 * `usage` is NULL or as it says; what is in it has as many bytes as it says, and
 * its `origin` is NULL or as that says. `verdict_out` is NULL or writable.
 */
enum countersign_status countersign_gate_check(struct countersign_gate *gate,
                                               const struct countersign_use *usage,
                                               struct countersign_verdict *verdict_out);

/**
 * Says by `*known_out` whether there is a live session under this handle (1) or
 * not (0). Of a connection with one `origin` is not looked at.
 *
 * The thread that opened the gate.
 *
 * The caller sees to it:
 * `known_out` is NULL or writable.
 */
enum countersign_status countersign_gate_knows(struct countersign_gate *gate,
                                               size_t handle,
                                               uint32_t *known_out);

/**
 * Says that a connection was let in for which a certificate or a pre-shared key
 * vouches, so that countersign_gate_connect() was not asked. `username` is the
 * name that vouches for it. Of others it may be said as well.
 *
 * Its session begins at once, if it may have one; else with the first thing it
 * does. It lets nobody do anything that countersign_gate_check() denies.
 *
 * The thread that opened the gate. Reads everything during the call.
 *
 * The caller sees to it:
 * `client_id` and `username` have as many bytes as they say; `origin` is NULL or
 * as it says.
 */
enum countersign_status countersign_gate_arrived(struct countersign_gate *gate,
                                                 size_t handle,
                                                 struct countersign_bytes client_id,
                                                 struct countersign_bytes username,
                                                 const struct countersign_origin *origin);

/**
 * The topic that sessions publish their commands on, `$CONTROL/…`. A message on it
 * is not routed, but given to countersign_gate_command().
 *
 * Any thread. Never NULL; NUL-terminated; never freed.
 */
const char *countersign_session_topic(void);

/**
 * Takes a message with commands, once countersign_gate_check() has allowed it.
 *
 * `usage` is what was checked: COUNTERSIGN_PUBLISH on countersign_session_topic();
 * anything else is COUNTERSIGN_MALFORMED. `payload` is the message. The answer is
 * an event COUNTERSIGN_EVENT_REPLY of a later poll, which the gate wakes the host
 * for. Whoever has no session that proved who it is gets none, nor does a message
 * that is COUNTERSIGN_TOO_LONG.
 *
 * The thread that opened the gate. Reads everything during the call.
 *
 * The caller sees to it:
 * `usage` is NULL or as it says; what is in it has as many bytes as it says, and
 * its `origin` is NULL or as that says. `payload` has as many bytes as it says.
 */
enum countersign_status countersign_gate_command(struct countersign_gate *gate,
                                                 const struct countersign_use *usage,
                                                 struct countersign_bytes payload);

/**
 * Works off what changed in the store, what time has ended and what was hashed
 * meanwhile, and answers what the host is to do about it.
 *
 * To be called whenever the host was woken, and at least every 100 ms. It costs
 * next to nothing when there is nothing to do. Carrying an event out may call
 * the gate again.
 *
 * The thread that opened the gate. The events belong to it too, and to the
 * caller, who ends them with countersign_events_free().
 *
 * The caller sees to it:
 * `events_out` is NULL or writable.
 */
enum countersign_status countersign_gate_poll(struct countersign_gate *gate,
                                              struct countersign_events **events_out);

/**
 * Takes the next event. Answers COUNTERSIGN_DONE when there is none.
 *
 * `*event_out` is COUNTERSIGN_EVENT_NONE before anything else is looked at.
 *
 * The thread that polled.
 *
 * The caller sees to it:
 * `event_out` is NULL or writable.
 */
enum countersign_status countersign_events_next(struct countersign_events *events,
                                                struct countersign_event *event_out);

/**
 * Ends events, taken or not. NULL is none.
 *
 * The thread that polled. A second call answers COUNTERSIGN_INVALID_OBJECT and
 * does no harm.
 */
enum countersign_status countersign_events_free(struct countersign_events *events);

/**
 * Makes a store at `path`, and the key file `path`.key beside it, both for this
 * process's user alone. COUNTERSIGN_EXISTS says that one of them is there
 * already; nothing changed then.
 *
 * Any thread.
 *
 * The caller sees to it:
 * `path` and `actor` have as many bytes as they say.
 */
enum countersign_status countersign_store_create(struct countersign_bytes path,
                                                 struct countersign_bytes actor);

/**
 * Opens a store for administration. `actor` is who acts, as the audit writes it
 * behind `host:`, such as the name of the program.
 *
 * The object belongs to this thread, and to the caller, who ends it with
 * countersign_store_close().
 *
 * The caller sees to it:
 * `path` and `actor` have as many bytes as they say; `store_out` is NULL or
 * writable.
 */
enum countersign_status countersign_store_open(struct countersign_bytes path,
                                               struct countersign_bytes actor,
                                               struct countersign_store **store_out);

/**
 * Makes a tenant that owns the topics `ID/#` and asks for a login from
 * everybody. An id is 1 to 63 of `a-z`, `0-9`, `_` and `-`, beginning with a
 * letter or a digit. It is refused where another tenant owns `#`: from that one
 * the program `countersign` alone takes topics.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `id` has as many bytes as it says.
 */
enum countersign_status countersign_tenant_create(struct countersign_store *store,
                                                  struct countersign_bytes id);

/**
 * Closes a store. NULL is none.
 *
 * The thread that opened it. A second call answers COUNTERSIGN_INVALID_OBJECT
 * and does no harm.
 */
enum countersign_status countersign_store_close(struct countersign_store *store);

/**
 * Makes a credential in a tenant. `dev1` in tenant `acme` is `dev1@acme`.
 *
 * `name` may be absent for a scheme that makes names. `scheme` absent is
 * `basic`. `password` absent is a secret that is generated; a chosen one is
 * hashed, which takes tens of milliseconds, so not on a thread that handles
 * packets.
 *
 * The thread that opened the store. What is issued belongs to it too, and to
 * the caller, who ends it with countersign_issued_free().
 *
 * The caller sees to it:
 * All bytes are as many as they say; `issued_out` is NULL or writable.
 */
enum countersign_status countersign_credential_create(struct countersign_store *store,
                                                      struct countersign_bytes tenant,
                                                      struct countersign_bytes name,
                                                      struct countersign_bytes scheme,
                                                      struct countersign_bytes password,
                                                      struct countersign_issued **issued_out);

/**
 * Makes a credential that is in groups, holds roles or has a secret that was given
 * out elsewhere.
 *
 * COUNTERSIGN_MISSING says that there is no such tenant or role,
 * COUNTERSIGN_EXISTS that the name is taken, COUNTERSIGN_MALFORMED that no such
 * thing is called so, COUNTERSIGN_NULL that the tenant, a group or a role is
 * absent, and COUNTERSIGN_REFUSED whatever else the rules forbid: a
 * secret of another form than the scheme's, one that is in use, a weak one
 * without COUNTERSIGN_MAY_BE_WEAK, more groups than a credential may be in.
 *
 * The thread that opened the store. What is issued belongs to it too, and to
 * the caller, who ends it with countersign_issued_free(). Reads everything during
 * the call.
 *
 * The caller sees to it:
 * `wanted` is NULL or as it says; what is in it has as many bytes as it says, and
 * `groups` and `roles` have as many elements. `issued_out` is NULL or writable.
 */
enum countersign_status countersign_credential_create_with(struct countersign_store *store,
                                                           const struct countersign_new_credential *wanted,
                                                           struct countersign_issued **issued_out);

/**
 * Replaces all secrets of a credential. Its sessions end; its state stays.
 * `password` as in countersign_credential_create().
 *
 * The thread that opened the store. What is issued belongs to it too, and to
 * the caller.
 *
 * The caller sees to it:
 * All bytes are as many as they say; `issued_out` is NULL or writable.
 */
enum countersign_status countersign_credential_reset_password(struct countersign_store *store,
                                                              struct countersign_bytes name,
                                                              struct countersign_bytes password,
                                                              struct countersign_issued **issued_out);

/**
 * Stops a credential for now. Its sessions end.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` has as many bytes as it says.
 */
enum countersign_status countersign_credential_suspend(struct countersign_store *store,
                                                       struct countersign_bytes name);

/**
 * Lifts a suspension.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` has as many bytes as it says.
 */
enum countersign_status countersign_credential_reactivate(struct countersign_store *store,
                                                          struct countersign_bytes name);

/**
 * Stops a credential for good. Its sessions end. `reason`, free text for people,
 * may be absent.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` and `reason` have as many bytes as they say.
 */
enum countersign_status countersign_credential_revoke(struct countersign_store *store,
                                                      struct countersign_bytes name,
                                                      struct countersign_bytes reason);

/**
 * Deletes a credential, in whatever state. Its sessions end, and one made later
 * under the same name is another.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` has as many bytes as it says.
 */
enum countersign_status countersign_credential_delete(struct countersign_store *store,
                                                      struct countersign_bytes name);

/**
 * Has a credential join a group, such as `DM.MFORM`: what is bound to the group
 * or to one above it holds for the credential too. It may be in 32 groups; to
 * join one again changes nothing.
 *
 * COUNTERSIGN_MISSING says that there is no such credential, COUNTERSIGN_MALFORMED
 * that no group is called so, COUNTERSIGN_REFUSED that it is in as many groups as
 * it may or in no tenant.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` and `group` have as many bytes as they say.
 */
enum countersign_status countersign_credential_join(struct countersign_store *store,
                                                    struct countersign_bytes name,
                                                    struct countersign_bytes group);

/**
 * Has a credential leave a group.
 *
 * COUNTERSIGN_MISSING says that there is no such credential, COUNTERSIGN_MALFORMED
 * that no group is called so, COUNTERSIGN_REFUSED that it is not in that very
 * group.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` and `group` have as many bytes as they say.
 */
enum countersign_status countersign_credential_leave(struct countersign_store *store,
                                                     struct countersign_bytes name,
                                                     struct countersign_bytes group);

/**
 * Gives a credential a role of its tenant. To give one again changes nothing.
 *
 * COUNTERSIGN_MISSING says that there is no such credential or role,
 * COUNTERSIGN_MALFORMED that no role is called so, COUNTERSIGN_REFUSED that the
 * credential is in no tenant.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` and `role` have as many bytes as they say.
 */
enum countersign_status countersign_credential_add_role(struct countersign_store *store,
                                                        struct countersign_bytes name,
                                                        struct countersign_bytes role);

/**
 * Takes from a credential a role that it holds by itself. What a group or its
 * tenant gives it stays.
 *
 * COUNTERSIGN_MISSING says that there is no such credential,
 * COUNTERSIGN_MALFORMED that no role is called so, COUNTERSIGN_REFUSED that it
 * does not hold it by itself.
 *
 * The thread that opened the store.
 *
 * The caller sees to it:
 * `name` and `role` have as many bytes as they say.
 */
enum countersign_status countersign_credential_remove_role(struct countersign_store *store,
                                                           struct countersign_bytes name,
                                                           struct countersign_bytes role);

/**
 * Answers what was issued. `*fields_out` is empty before anything else is looked
 * at.
 *
 * The thread that has it.
 *
 * The caller sees to it:
 * `fields_out` is NULL or writable.
 */
enum countersign_status countersign_issued_get(struct countersign_issued *issued,
                                               struct countersign_issued_fields *fields_out);

/**
 * Wipes and ends what was issued. NULL is none.
 *
 * The thread that has it. A second call answers COUNTERSIGN_INVALID_OBJECT and
 * does no harm.
 */
enum countersign_status countersign_issued_free(struct countersign_issued *issued);

/** The bytes of a text that ends with NUL; absent if it is NULL. It stays the caller's. */
static inline countersign_bytes countersign_text(const char *text) {
  countersign_bytes bytes;
  bytes.data = text;
  bytes.length = text ? strlen(text) : 0;
  return bytes;
}

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* COUNTERSIGN_H */
