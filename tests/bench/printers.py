#!/usr/bin/env python3
"""50 printers, probed every 5 s: 40 answer, 5 refuse, 5 accept and say nothing.

    tests/bench/printers.py PROGRAM [SECONDS]

PROGRAM is fanin; it is started and ended here, as are the stand-ins, all on loopback. Klippy's stand-in answers objects within
0.25 s, as the real one does. Told: probes, the slowest of each kind, those that missed their deadline, resident memory
from minute to minute, and processor time a probe.
"""
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time

PROGRAM, SECONDS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 120
ANSWERING, REFUSING, HANGING, EVERY, TIMEOUT = 40, 5, 5, 5.0, 4.0
MODULES = "default,printer_objects,print,states,extruders,motion,mcus,drivers,sensors"
HERE = os.path.dirname(os.path.abspath(__file__))
REPLIES = os.path.join(HERE, "..", "moonraker")
FILES = {
    "/printer/objects/list": "printer_objects_list.sim_full",
    "/printer/objects/query": "printer_objects_query_all.sim_full",
    "/printer/info": "printer_info.idle",
    "/server/info": "server_info.idle",
    "/machine/proc_stats": "machine_proc_stats.idle",
    "/machine/system_info": "machine_system_info.idle",
    "/machine/device_power/devices": "machine_device_power_devices.idle",
    "/server/job_queue/status": "server_job_queue_status.idle",
}


def reply(name):
    with open(os.path.join(REPLIES, name + ".json"), "rb") as file:
        body = file.read()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


ANSWERS = {path: reply(name) for path, name in FILES.items()}
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"


async def answer(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            for line in head.split("\r\n"):
                if line.lower().startswith("content-length:"):
                    await reader.readexactly(int(line.split(":")[1]))
            path = head.split(" ")[1].split("?")[0]
            if path == "/printer/objects/query":
                await asyncio.sleep(random.random() / 4)
            writer.write(ANSWERS.get(path, MISSING))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def hang(reader, writer):
    try:
        while await reader.read(4096):
            pass
    except ConnectionError:
        pass
    finally:
        writer.close()


async def probe(port, target):
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /probe?target={target}&modules={MODULES} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 f"X-Prometheus-Scrape-Timeout-Seconds: {TIMEOUT}\r\n\r\n".encode())
    answered = await reader.read(-1)
    writer.close()
    return time.monotonic() - begin, answered


def memory(pid):
    with open(f"/proc/{pid}/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmRSS"].split()[0]), int(lines["VmHWM"].split()[0])


def processor(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def main():
    servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(ANSWERING)]
    servers += [await asyncio.start_server(hang, "127.0.0.1", 0) for _ in range(HANGING)]
    gone = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(REFUSING)]
    place = lambda server: "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    targets = [("answers" if at < ANSWERING else "hangs", place(server)) for at, server in enumerate(servers)]
    targets += [("refuses", place(server)) for server in gone]
    for server in gone:
        server.close()
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "fanin.json")
        with open(config, "w") as file:
            json.dump({"servers": [{"listen": "tcp://127.0.0.1:0", "routes": {"/probe": {"probe": {"targets": ["any"]}}}}]}, file)
        program = subprocess.Popen([PROGRAM, "serve", "--config", config, "--log-format", "text"], stderr=subprocess.PIPE, text=True)
        port = None
        while port is None:
            line = program.stderr.readline()
            if "listening on " in line:
                port = int(line.rsplit(":", 1)[1])
        lines = asyncio.get_running_loop().run_in_executor(None, lambda: sum(1 for _ in program.stderr))
        seen = {"answers": [], "hangs": [], "refuses": []}
        wrong, rss, begun, before = 0, [], time.monotonic(), processor(program.pid)

        async def scrape(number, kind, target):
            nonlocal wrong
            await asyncio.sleep(EVERY * number / len(targets))
            while time.monotonic() - begun < SECONDS:
                start = time.monotonic()
                took, answered = await probe(port, target)
                seen[kind].append(took)
                up = b"\nklipper_up 1\n" in answered
                wrong += up != (kind == "answers") or not answered.startswith(b"HTTP/1.1 200 ")
                await asyncio.sleep(max(0.0, EVERY - (time.monotonic() - start)))

        async def watch():
            while time.monotonic() - begun < SECONDS:
                await asyncio.sleep(SECONDS / 8)
                rss.append(memory(program.pid)[0])

        await asyncio.gather(watch(), *(scrape(number, *target) for number, target in enumerate(targets)))
        used = processor(program.pid) - before
        peak, descriptors = memory(program.pid)[1], len(os.listdir(f"/proc/{program.pid}/fd"))
        program.terminate()
        program.wait()
        count = sum(map(len, seen.values()))
        print(f"{count} probes in {SECONDS} s, wrong: {wrong}, lines of the log: {await lines}")
        for kind, times in seen.items():
            late = sum(took > TIMEOUT for took in times)
            print(f"{kind}: {len(times)}, slowest {max(times):.3f} s, later than {TIMEOUT} s: {late}")
        print(f"resident memory in KiB: {rss}, peak {peak}; descriptors: {descriptors}")
        print(f"processor time: {used:.2f} s, {1000 * used / count:.2f} ms a probe")


asyncio.run(main())
