#!/usr/bin/env python3
"""200 applications push 50 KB each every second, while three scrapers read all of it: `memory: 48MiB`.

    tests/bench/pushes.py PROGRAM [SECONDS [APPS]]

PROGRAM is fanin; it is started and ended here. Each push is a connection of its own, JSON over TCP. Each scraper asks for the
merged page (10 MB) again as soon as 2 s have gone by, one of them no faster than 4 MB/s. A page is whole if it has every
sample of every application, and valid if no application's samples are of two pushes, and promtool finds no fault in the last one.
Told: pushes and how many were refused, scrapes, resident memory, processor time.
"""
import asyncio
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = sys.argv[1]
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
APPS = int(sys.argv[3]) if len(sys.argv) > 3 else 200
MEMORY, SIZE, EVERY, PAUSE, SLOW = 48, 50_000, 1.0, 2.0, 4_000_000
SAMPLE = re.compile(rb'^load_\w+\{[^}]*app="(\d+)"[^}]*\} (\d+)$', re.M)


def page(number):
    """The page of an application, with @ where the number of the push comes."""
    lines, size, at = [], 0, 0
    while size < SIZE:
        if at % 30 == 0:
            lines.append(f"# HELP load_family{at // 30} A family that every application has.")
            lines.append(f"# TYPE load_family{at // 30} gauge")
        lines.append(f'load_family{at // 30}{{device=\\"disk{at:04}\\",path=\\"/srv/{number}\\"}} @')
        size += sum(len(line) + 1 for line in lines[-1:])
        at += 1
    return (f'{{"{number}": "' + "\\n".join(lines) + '\\n"}').encode(), at


async def push(door, text, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", door)
    writer.write(text.replace(b"@", b"%d" % number))
    writer.write_eof()
    await reader.read()
    writer.close()


async def get(port, path, rate=None):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n".encode())
    pieces = []
    while piece := await reader.read(1 << 18):
        pieces.append(piece)
        if rate:
            await asyncio.sleep(len(piece) / rate)
    writer.close()
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    return head, body


def fault(head, body, samples):
    """What is wrong with a merged page."""
    if b" 200 " not in head.split(b"\r\n")[0]:
        return head.split(b"\r\n")[0].decode() + " " + body[:200].decode()
    if not body.endswith(b"\n"):
        return "cut"
    counts, pushes = collections.Counter(), collections.defaultdict(set)
    for app, number in SAMPLE.findall(body):
        counts[app] += 1
        pushes[app].add(number)
    wrong = [app for app, count in samples.items() if counts[app] != count]
    mixed = [app for app, numbers in pushes.items() if len(numbers) != 1]
    return f"not whole: {wrong[:3]}, of two pushes: {mixed[:3]}, applications: {len(counts)}" if wrong or mixed else ""


def memory(pid, key="VmRSS"):
    with open(f"/proc/{pid}/status") as file:
        return int(dict(line.split(":", 1) for line in file)[key].split()[0])


def processor(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def own(port):
    _, body = await get(port, "/metrics")
    lines = (line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


async def main():
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "fanin.json")
        plan = {
            "servers": [{"listen": "tcp://127.0.0.1:0", "routes": {"/all": {"merge": "apps"}, "/apps": {"apps": "all"}}}],
            "sources": {"apps": {"push": {"listen": "tcp://127.0.0.1:0", "apps": APPS}}},
            "limits": {"memory": f"{MEMORY}MiB"},
        }
        with open(config, "w") as file:
            json.dump(plan, file)
        program = subprocess.Popen([PROGRAM, "serve", "--config", config, "--log-format", "text"], stderr=subprocess.PIPE, text=True)
        ports = []
        while len(ports) < 2:
            line = program.stderr.readline()
            if "listening on " in line:
                ports.append(int(line.rsplit(":", 1)[1]))
        port, door = ports
        log = []
        threading.Thread(target=lambda: log.extend(program.stderr), daemon=True).start()
        # A source takes 32 connections: of more at once, those that have not said anything give way.
        seats = asyncio.Semaphore(24)
        judges = concurrent.futures.ProcessPoolExecutor(1)
        pages = [page(number) for number in range(APPS)]
        samples = {b"%d" % number: count for number, (_, count) in enumerate(pages)}
        for text, _ in pages:
            await push(door, text, 0)
        counts, faults, broken, took, rss, last = collections.Counter(pushes=APPS), [], [], [], [], b""
        begun, before = time.monotonic(), processor(program.pid)

        async def pushes(number):
            await asyncio.sleep(EVERY * number / APPS)
            due = time.monotonic()
            while time.monotonic() - begun < SECONDS:
                counts["pushes"] += 1
                try:
                    async with seats:
                        await push(door, pages[number][0], counts["pushes"])
                except OSError as error:
                    broken.append(repr(error))
                due += EVERY
                counts["late"] += time.monotonic() > due
                await asyncio.sleep(max(0.0, due - time.monotonic()))

        async def scrapes(rate):
            nonlocal last
            while time.monotonic() - begun < SECONDS:
                start = time.monotonic()
                try:
                    head, last = await get(port, "/all", rate)
                except OSError as error:
                    faults.append(repr(error))
                    continue
                took.append(time.monotonic() - start)
                if wrong := await asyncio.get_running_loop().run_in_executor(judges, fault, head, last, samples):
                    faults.append(wrong)
                await asyncio.sleep(max(0.0, PAUSE - (time.monotonic() - start)))

        async def watch():
            while time.monotonic() - begun < SECONDS:
                await asyncio.sleep(SECONDS / 8)
                rss.append(memory(program.pid))

        await asyncio.gather(watch(), *(scrapes(rate) for rate in (None, None, SLOW)), *map(pushes, range(APPS)))
        used, elapsed = processor(program.pid) - before, time.monotonic() - begun
        told, peak = await own(port), memory(program.pid, "VmHWM")
        program.terminate()
        program.wait()
        accepted = told['fanin_push_accepted_total{source="apps"}']
        refused = sum(value for name, value in told.items() if name.startswith("fanin_push_refused_total"))
        judged = "promtool is not here"
        if promtool := shutil.which("promtool"):
            done = subprocess.run([promtool, "check", "metrics"], input=last, capture_output=True)
            judged = f"promtool exits {done.returncode}" + (", parsing error" if b"parsing error" in done.stderr else ", no syntax fault")
        print(f"{counts['pushes']} pushes of {len(pages[0][0])} bytes in {elapsed:.0f} s: {accepted:.0f} accepted, {refused:.0f} refused, {len(broken)} broken off {broken[:1]}, {counts['late']} took longer than {EVERY} s")
        print(f"{len(took)} scrapes of {len(last)} bytes, {sum(samples.values())} samples: {len(faults)} not whole or not valid {faults[:3]}, slowest {max(took):.2f} s; the last: {judged}")
        print(f"memory: {MEMORY}MiB; resident in KiB: {rss}, peak {peak}, {peak - MEMORY * 1024} beside limits.memory")
        print(f"processor time: {used:.2f} s, {100 * used / elapsed:.1f} % of a core; lines of the log: {len(log)}")


asyncio.run(main())
