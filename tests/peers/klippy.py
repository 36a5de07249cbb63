#!/usr/bin/env python3
"""A stand-in for Klippy, Klipper's host process, as Moonraker meets it: JSON on a Unix socket, each message ended by 0x03.

    klippy.py SOCKET PHASE REPLIES

PHASE is a file with one word, read at each question: `gone` closes the socket, `startup` answers that Klipper is starting,
any other is the scenario of a file REPLIES/printer_objects_query_all.SCENARIO.json that objects are answered from.
What only disturbs a print (end stops, G-code) is answered with an error, and written to standard error.
"""
import asyncio
import json
import os
import sys

SOCKET, PHASE, REPLIES = sys.argv[1:]
END = b"\x03"


def phase():
    with open(PHASE) as file:
        return file.read().strip()


def status(scenario):
    with open(os.path.join(REPLIES, f"printer_objects_query_all.{scenario}.json")) as file:
        objects = json.load(file)["result"]["status"]
    objects.setdefault("configfile", {"config": {}, "warnings": [], "save_config_pending": False,
                                      "settings": {"extruder": {"filament_diameter": 1.75},
                                                   "virtual_sdcard": {"path": "/nowhere"}}})
    return objects


def state(now):
    return ("startup", "Printer is not ready") if now == "startup" else ("ready", "Printer is ready")


def answer(method, params):
    now = phase()
    word, message = state(now)
    objects = {} if now == "startup" else status(now)
    objects["webhooks"] = {"state": word, "state_message": message}
    if method == "info":
        return {"state": word, "state_message": message, "hostname": "printer", "software_version": "v0.13.0-730-g84104bbbd",
                "process_id": os.getpid(), "config_file": "/nowhere/printer.cfg", "log_file": "/nowhere/klippy.log",
                "klipper_path": "/nowhere/klipper", "python_path": sys.executable, "cpu_info": "none"}
    if method == "list_endpoints":
        return {"endpoints": ["info", "objects/list", "objects/query", "objects/subscribe", "query_endstops/status",
                              "gcode/help", "gcode/script", "emergency_stop", "register_remote_method"]}
    if method == "objects/list":
        return {"objects": list(objects)}
    if method in ("objects/query", "objects/subscribe"):
        found = {}
        for name, fields in (params.get("objects") or {}).items():
            known = objects.get(name, {})
            found[name] = known if fields is None else {field: known.get(field) for field in fields}
        return {"eventtime": asyncio.get_running_loop().time(), "status": found}
    if method == "gcode/help":
        return {}
    if method in ("register_remote_method", "gcode/subscribe_output"):
        return {}
    print(f"asked for {method}", file=sys.stderr, flush=True)
    raise ValueError(method)


async def serve(reader, writer):
    async def watch():
        while phase() != "gone":
            await asyncio.sleep(0.05)
        writer.close()

    watching = asyncio.create_task(watch())
    try:
        while True:
            message = json.loads((await reader.readuntil(END))[:-1])
            try:
                reply = {"result": answer(message["method"], message.get("params") or {})}
            except ValueError as error:
                reply = {"error": {"error": "WebRequestError", "message": f"no {error} here"}}
            writer.write(json.dumps({"id": message.get("id"), **reply}).encode() + END)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        watching.cancel()
        writer.close()


async def main():
    while True:
        while phase() == "gone":
            await asyncio.sleep(0.05)
        if os.path.exists(SOCKET):
            os.unlink(SOCKET)
        server = await asyncio.start_unix_server(serve, SOCKET, limit=1 << 20)
        print("listening", file=sys.stderr, flush=True)
        while phase() != "gone":
            await asyncio.sleep(0.05)
        server.close()
        os.unlink(SOCKET)


asyncio.run(main())
