# What build and test share: the target's file, the C compiler and linker, and a standard library.
# Sourced by bash, in the repository's folder.

# zig is C compiler, linker and musl in one. 0.14.1 is the one version that serves all targets:
# others fail to link for mipsel, or link programs that crash, or bring an allocator that keeps
# memory. See targets/README.md before you change it.
zig=0.14.1
zigbuild=0.24.0
build=target/cross-$zig

# The targets there are, one a line.
targets() {
    find targets -type f ! -name '*.*' -printf '%f\n' | sort
}

# Reads targets/$1.
target() {
    [ -f "targets/$1" ] || { printf 'no target %s; there are:\n' "$1"; targets; exit 2; } >&2
    # shellcheck source=targets/armv7
    . "targets/$1"
}

# Puts zig and cargo-zigbuild into a virtual environment of their own, once.
zig_tools() {
    local home
    home=$(pwd)/$build/tools
    mkdir -p "$build"
    (
        # Of several builds at once one does it.
        flock 9
        [ ! -x "$home/bin/cargo-zigbuild" ] || exit 0
        rm -rf "$home"
        if ! python3 -m venv "$home"; then
            echo 'cross: python3 has no venv; on Debian: apt-get install python3-venv' >&2
            exit 1
        fi
        "$home/bin/pip" -q install "ziglang==$zig" "cargo-zigbuild==$zigbuild"
    ) 9>"$build/tools.lock"
    PATH=$home/bin:$PATH
    # Without it cargo-zigbuild may find another zig first.
    export CARGO_ZIGBUILD_PYTHON_PATH=$home/bin/python3
}

# Chooses the standard library for $triple and what cargo must be told for it: std, std_flags, and
# the environment. $1 is build or test, since tests unwind; $2 is a folder of its own below $build.
toolchain() {
    local crates=std,panic_abort features=optimize_for_size flags=() source folder
    zig_tools
    if [ "$1" = test ]; then
        crates=std,panic_unwind,test features=panic-unwind
    else
        # Nothing unwinds: without these tables a program is up to 80 KB smaller.
        flags=(-Cforce-unwind-tables=no)
        [ -z "${opt:-}" ] || export CARGO_PROFILE_RELEASE_OPT_LEVEL=$opt
    fi
    std_flags=(-Z "build-std=$crates" -Z "build-std-features=$features")
    if command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$triple"; then
        std='the standard library of rustup'
        std_flags=()
        source=$(rustc --print sysroot)
    elif [ -x /usr/bin/rustc ] && [ -d /usr/lib/rustlib/src/rust/library ]; then
        std='the standard library from source, of Debian'
        export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
        PATH=$(pwd)/$build/tools/bin:/usr/bin:$PATH
        source=/usr/lib/rustlib/src/rust
        flags+=(-Clink-self-contained=no)
    elif source=$(rustup run nightly rustc --print sysroot 2>/dev/null) &&
        [ -d "$source/lib/rustlib/src/rust/library" ]; then
        std='the standard library from source, of the nightly'
        export RUSTUP_TOOLCHAIN=nightly
        source=$source/lib/rustlib/src/rust
        flags+=(-Clink-self-contained=no)
    else
        cat >&2 <<TEXT
cross: no standard library for $triple. One of these brings it:
  rustup target add $triple
  apt-get install rustc-web cargo-web rust-web-src
  rustup toolchain install nightly --component rust-src
The first is not to be had for mipsel.
TEXT
        exit 1
    fi
    # A panic of a small program tells what happened, not the line: 4 % less. rustup's rustc takes no -Z.
    [ -z "${small-}" ] || [ "${#std_flags[@]}" -eq 0 ] || flags+=(-Zlocation-detail=none)
    # The names of folders are part of panic messages. These are the same on every machine, and
    # of those that fit the last one counts.
    flags+=("--remap-path-prefix=$(pwd)=/fanin" "--remap-path-prefix=$source=/rust")
    cargo fetch --quiet --locked
    for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
        flags+=("--remap-path-prefix=$folder=/crates")
    done
    # shellcheck disable=SC2206 # One word is one flag.
    flags+=(${rustflags:-})
    local IFS=$'\x1f'
    export CARGO_ENCODED_RUSTFLAGS="${flags[*]}" CARGO_ENCODED_RUSTDOCFLAGS="${flags[*]}"
    unset RUSTFLAGS RUSTDOCFLAGS
    # cargo builds one thing at a time in a folder, and most of a build is one thread.
    export PATH CARGO_TARGET_DIR=$build/$2
}
