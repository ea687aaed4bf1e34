"""Logs in by an Authentication Method of MQTT 5 (paho), and publishes one message.

method.py PORT CLIENT_ID METHOD TOPIC, with the Authentication Data as its input. Prints what
the CONNACK says: its reason code and the method that it names.
"""

import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port, client_id, method, topic = sys.argv[1:]
login = Properties(PacketTypes.CONNECT)
login.AuthenticationMethod = method
login.AuthenticationData = sys.stdin.buffer.read()


def connected(client, _userdata, _flags, reason, told):
    named = getattr(told, "AuthenticationMethod", "-")
    print(reason.value, named, flush=True)
    if reason.is_failure:
        client.disconnect()
    else:
        client.publish(topic, "paho", qos=1)


def published(client, _userdata, _message, reason, _told):
    client.disconnect()
    if reason.is_failure:
        sys.exit(f"the message was refused: {reason}")


client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5
)
client.on_connect = connected
client.on_publish = published
client.connect("127.0.0.1", int(port), properties=login)
client.loop_forever(retry_first_connection=False)
