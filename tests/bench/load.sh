# shellcheck shell=bash disable=SC2154
# What the load measurements share: pages, an nginx that serves them as files, and the processor time
# of a server per reply. Sourced by bash, with `seconds` a case and `runs` set. All traffic stays on
# loopback.

work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# fanin's sources for the pages at port $files, with the indentation of a configuration.
page_sources() {
    cat <<YAML
  node: {http: {url: "http://127.0.0.1:$files/node"}}
  node_b: {http: {url: "http://127.0.0.1:$files/node"}}
  node_c: {http: {url: "http://127.0.0.1:$files/node"}}
  large: {http: {url: "http://127.0.0.1:$files/large"}}
  node_unread: {http: {url: "http://127.0.0.1:$files/node"}, verify: false}
  large_unread: {http: {url: "http://127.0.0.1:$files/large"}, verify: false}
YAML
}

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

# An nginx that does what TEXT says: role NAME TEXT
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

# Waits until http://127.0.0.1:$1 answers.
up() {
    for _ in $(seq 100); do
        curl -fsS -o /dev/null "http://127.0.0.1:$1" 2>/dev/null && return
        sleep 0.1
    done
    curl -fsS -o /dev/null "http://127.0.0.1:$1"
}

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

# A fanin with its configuration in $work/$1.yaml.
serve() { # NAME PROGRAM; PID is in $!
    "$2" serve --config "$work/$1.yaml" --log-level error & pids+=("$!")
}

# Runs all `cases`, each a line of NAME PID URL, and puts the least times into `least`.
declare -A least
run_cases() {
    local name pid url took case
    for _ in $(seq "$runs"); do
        for case in "${cases[@]}"; do
            read -r name pid url <<<"$case"
            took=$(measure "$pid" "$url")
            least[$name]=$(awk -v a="${least[$name]:-1e12}" -v b="$took" 'BEGIN {print (b < a) ? b : a}')
        done
    done
}

ratio() { awk -v a="${least[$1]}" -v b="${least[$2]}" 'BEGIN {printf "%.2f", a / b}'; }

bytes() { stat -c %s "$work/pages/$1"; }

processor() { echo "$(uname -m), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs)"; }
