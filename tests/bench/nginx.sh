#!/usr/bin/env bash
# What a page costs that passes through fanin, against nginx passing the same bytes: processor time
# of the server per reply, in one run, as ratios. Needs nginx and wrk (Debian: nginx-light wrk), and
# `cargo build --release` before. All traffic stays on loopback; all of it ends after about a minute.
#
#   tests/bench/nginx.sh [SECONDS_A_CASE [RUNS]]
#
# One nginx serves the pages as files. A second one proxies them, once as `proxy_pass` does by
# itself and once with its connections to the first kept, as fanin keeps its own. wrk asks over two
# connections. Processor time is that of the kernel's scheduler (schedstat), in nanoseconds; each
# case runs RUNS times, taking turns, and the least is taken: other work on the machine only adds.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-2} runs=${2:-3}
fanin=${FANIN:-target/release/fanin}
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
files=$(port) plain=$(port) own=$(port)

mkdir -p "$work/pages"
cp tests/pages/node_exporter.prom "$work/pages/node"
# A page of the same kind and 5 MB: the real one again and again, each time with a label of its own.
python3 - "$work/pages" <<'PY'
import re, sys
from pathlib import Path
folder = Path(sys.argv[1])
page = (folder / "node").read_text()
families, names = {}, []
for line in page.splitlines():
    if line.startswith("#"):
        name = line.split()[2]
        if name not in families:
            families[name] = ([], [])
            names.append(name)
        families[name][0].append(line)
    else:
        families[names[-1]][1].append(line)
def labelled(line, copy):
    name, rest = re.match(r"([^{ ]+)(.*)", line).groups()
    if rest.startswith("{"):
        return f'{name}{{copy="{copy}",{rest[1:]}'
    return f'{name}{{copy="{copy}"}}{rest}'
samples = sum(len(line) + len('{copy="99"}\n') for lines in families.values() for line in lines[1])
copies = 5_000_000 // samples + 1
with (folder / "large").open("w") as out:
    for name in names:
        notes, samples = families[name]
        out.write("".join(note + "\n" for note in notes))
        for copy in range(copies):
            out.write("".join(labelled(line, copy) + "\n" for line in samples))
(folder / "three").write_text(page * 3)
PY

# A master that is root has workers that are not.
chmod 755 "$work" "$work/pages"

cat > "$work/nginx.conf" <<CONF
daemon off;
pid $work/nginx.pid;
error_log stderr crit;
worker_processes 1;
events { worker_connections 256; }
http {
    access_log off;
    default_type "text/plain; version=0.0.4";
    client_body_temp_path $work/body; proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
    keepalive_requests 1000000;
    # As nginx-light ships it.
    sendfile on; tcp_nopush on;
ROLE
}
CONF
role() { # NAME TEXT
    mkdir -p "$work/$1"
    sed -e "s|$work/nginx.pid|$work/$1.pid|" -e "s|^ROLE\$|$(tr '\n' ' ' <<<"$2")|" "$work/nginx.conf" > "$work/$1.conf"
    nginx -p "$work" -e stderr -c "$work/$1.conf" & pids+=("$!")
}
role files "server { listen 127.0.0.1:$files; root $work/pages; }"
role plain "upstream kept { server 127.0.0.1:$files; keepalive 8; }
    server { listen 127.0.0.1:$plain;
        location /kept/ { proxy_pass http://kept/; proxy_http_version 1.1; proxy_set_header Connection \"\"; }
        location / { proxy_pass http://127.0.0.1:$files; } }"
cat > "$work/fanin.yaml" <<YAML
servers:
  - listen: tcp://127.0.0.1:$own
    routes:
      /proxy: {proxy: [node, large, node_unread, large_unread]}
      /merge: {merge: {sources: [node, node_b, node_c], forward_params: true}}
sources:
  node: {http: {url: "http://127.0.0.1:$files/node"}}
  node_b: {http: {url: "http://127.0.0.1:$files/node"}}
  node_c: {http: {url: "http://127.0.0.1:$files/node"}}
  large: {http: {url: "http://127.0.0.1:$files/large"}}
  node_unread: {http: {url: "http://127.0.0.1:$files/node"}, verify: false}
  large_unread: {http: {url: "http://127.0.0.1:$files/large"}, verify: false}
limits: {memory: 64MiB, body: 16MiB}
YAML
"$fanin" serve --config "$work/fanin.yaml" --log-level error & pids+=("$!")
fanin_pid=$!
for at in "$files/node" "$plain/node" "$own/-/healthy"; do
    for _ in $(seq 100); do
        curl -fsS -o /dev/null "http://127.0.0.1:$at" 2>/dev/null && break
        sleep 0.1
    done
    curl -fsS -o /dev/null "http://127.0.0.1:$at"
done
nginx_pid=$(pgrep -P "$(cat "$work/plain.pid")")

# Nanoseconds of processor time of a process, all its threads.
cpu() { cat /proc/"$1"/task/*/schedstat | awk '{sum += $1} END {printf "%.0f", sum}'; }

# wrk, each request with a number of its own: equal requests at one time would share one fetch.
cat > "$work/each.lua" <<'LUA'
local n = 0
local thread = 0
function setup(t) t:set("id", thread); thread = thread + 1 end
request = function()
    n = n + 1
    local mark = wrk.path:find("?", 1, true) and "&" or "?"
    return wrk.format(nil, wrk.path .. mark .. "n=" .. id .. "_" .. n)
end
done = function(summary)
    io.write(string.format("RESULT %d %d\n", summary.requests, summary.errors.status
        + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
LUA

# Microseconds of processor time per reply.
measure() { # PID URL
    local before after result requests errors
    before=$(cpu "$1")
    result=$(wrk -t2 -c2 -d"${seconds}s" -s "$work/each.lua" "$2" | sed -n 's/^RESULT //p')
    after=$(cpu "$1")
    read -r requests errors <<<"$result"
    [ "$errors" = 0 ] && [ "$requests" -gt 0 ] || { echo "$2: $requests replies, $errors errors" >&2; exit 1; }
    awk -v ns=$((after - before)) -v n="$requests" 'BEGIN {printf "%.1f", ns / n / 1000}'
}

cases=(
    "nginx_node $nginx_pid http://127.0.0.1:$plain/node"
    "nginx_node_kept $nginx_pid http://127.0.0.1:$plain/kept/node"
    "nginx_large $nginx_pid http://127.0.0.1:$plain/large"
    "nginx_large_kept $nginx_pid http://127.0.0.1:$plain/kept/large"
    "nginx_three $nginx_pid http://127.0.0.1:$plain/three"
    "nginx_three_kept $nginx_pid http://127.0.0.1:$plain/kept/three"
    "unread_node $fanin_pid http://127.0.0.1:$own/proxy?module=node_unread"
    "unread_large $fanin_pid http://127.0.0.1:$own/proxy?module=large_unread"
    "checked_node $fanin_pid http://127.0.0.1:$own/proxy?module=node"
    "checked_large $fanin_pid http://127.0.0.1:$own/proxy?module=large"
    "merged $fanin_pid http://127.0.0.1:$own/merge"
)
declare -A least
for _ in $(seq "$runs"); do
    for case in "${cases[@]}"; do
        read -r name pid url <<<"$case"
        took=$(measure "$pid" "$url")
        least[$name]=$(awk -v a="${least[$name]:-1e12}" -v b="$took" 'BEGIN {print (b < a) ? b : a}')
    done
done

bytes() { stat -c %s "$work/pages/$1"; }
row() { # WHAT BYTES FANIN NGINX
    local ratio kept
    ratio=$(awk -v a="${least[$3]}" -v b="${least[$4]}" 'BEGIN {printf "%.2f", a / b}')
    kept=$(awk -v a="${least[$3]}" -v b="${least[$4_kept]}" 'BEGIN {printf "%.2f", a / b}')
    printf '| %s | %s | %s | %s | %s | **%s** | %s |\n' "$1" "$2" "${least[$3]}" "${least[$4]}" "${least[$4_kept]}" "$ratio" "$kept"
}
echo "$(nginx -v 2>&1), $(uname -m), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs)"
echo
echo '| a reply of | bytes | fanin, µs | nginx, µs | nginx, connections kept, µs | fanin / nginx | fanin / nginx, kept |'
echo '|---|---|---|---|---|---|---|'
row 'node_exporter, unverified' "$(bytes node)" unread_node nginx_node
row '5 MB, unverified' "$(bytes large)" unread_large nginx_large
row 'node_exporter, verified' "$(bytes node)" checked_node nginx_node
row '5 MB, verified' "$(bytes large)" checked_large nginx_large
row 'three node_exporters, merged' "$(bytes three)" merged nginx_three
