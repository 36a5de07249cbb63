#!/usr/bin/env python3
"""Applications that push, as their authors' libraries have it.

    clients.py encode                 writes two Cap'n Proto messages to standard output
    clients.py capnp tcp HOST PORT    sends them, each by itself, over one connection
    clients.py capnp unix PATH
    clients.py gateway STEP HOST:PORT one step of a batch job: push, add, again, delete
"""
import os
import socket
import sys


def messages():
    import capnp

    capnp.remove_import_hook()
    schema = capnp.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.capnp"))
    for number in range(2):
        message = schema.InboundMetrics.new_message()
        message.appName = f"py_app{number}"
        message.data = f"""
# HELP py_requests_total_app{number} Requests, "quoted" ä.
# TYPE py_requests_total_app{number} counter
py_requests_total_app{number}{{method="post",code="200"}} 1027 1395066363000
py_requests_total_app{number}{{method="post",code="400"}}    3 1395066363000
"""
        yield message


def encode():
    for message in messages():
        sys.stdout.buffer.write(message.to_bytes())


def send(family, *place):
    if family == "tcp":
        connection = socket.create_connection((place[0], int(place[1])))
    else:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(place[0])
    for message in messages():
        message.write(connection)
    connection.close()


def registry(value, kinds):
    from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary

    made = CollectorRegistry()
    if "gauge" in kinds:
        Gauge("job_last_success_unixtime", "Last time a batch job succeeded", registry=made).set(value)
    if "counter" in kinds:
        Counter("job_lines", "Lines", ["file"], registry=made).labels('a\\b"c\nd').inc(value)
    if "histogram" in kinds:
        histogram = Histogram("job_seconds", "Duration", registry=made)
        for took in (0.003, 0.3, 30):
            histogram.observe(took)
    if "summary" in kinds:
        Summary("job_bytes", "Size", registry=made).observe(value)
    if "info" in kinds:
        Info("job_build", "Build", registry=made).info({"version": "1.0"})
        Enum("job_state", "State", states=["idle", "running"], registry=made).state("running")
    return made


ALL = ("gauge", "counter", "histogram", "summary", "info")


def gateway(step, address):
    from prometheus_client import delete_from_gateway, push_to_gateway, pushadd_to_gateway

    key = {"instance": "a/b", "zone": ""}
    if step == "push":
        push_to_gateway(address, job="batch", registry=registry(1, ALL), grouping_key=key)
        push_to_gateway(address, job="other job", registry=registry(2, ("gauge",)))
    elif step == "add":
        pushadd_to_gateway(address, job="batch", registry=registry(3, ("gauge",)), grouping_key=key)
    elif step == "again":
        push_to_gateway(address, job="batch", registry=registry(4, ("summary",)), grouping_key=key)
    elif step == "delete":
        delete_from_gateway(address, job="batch", grouping_key=key)
        delete_from_gateway(address, job="nobody")


{"encode": encode, "capnp": send, "gateway": gateway}[sys.argv[1]](*sys.argv[2:])
