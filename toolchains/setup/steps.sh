# The steps of the set-up, in order, but for the libraries; sourced by `install`. Each makes its own folders anew, so a step that was interrupted is repeated
# whole. They read $here and $partial and fill $ready.
steps_total=10
downloads=$partial/downloads
raw=$partial/raw
std=$partial/std
ready=$partial/ready
root=$ready/root
host_libraries=$raw/usr/lib/x86_64-linux-gnu
target=wasm32-wasip1
exec {own_stderr}>&2

# step NUMBER NAME TITLE FUNCTION [SPENT]: runs FUNCTION unless a set-up that was interrupted had finished it, then removes the folder
# SPENT. The mark comes before the removal: a set-up that is killed between the two does not need the folder again.
step() {
    step_number=$1 step_title=$3
    [[ ! -e $partial/done/$2 ]] || return 0
    progress
    trap give_up EXIT
    : >"$partial/errors"
    "$4" 2>>"$partial/errors"
    trap - EXIT
    touch "$partial/done/$2"
    [[ $# -lt 5 ]] || rm -rf "$5"
    [[ ! -t 1 ]] || echo
}

# progress [TEXT]: one line, redrawn in place on a terminal.
progress() {
    local line="[$step_number/$steps_total] $step_title${1:+  $1}"
    if [[ -t 1 ]]; then printf '\r\033[K%s' "$line"; else echo "$line"; fi
}

# progress_of_lines TEXT: a line of progress for each line of stdin, with its number before TEXT.
progress_of_lines() {
    local count=0 line
    while read -r line; do
        count=$((count + 1))
        progress "$count $1"
    done
}

# The step that failed may still have stderr in its file, so this writes to the set-up's own.
give_up() {
    echo
    tail -n 30 "$partial/errors" >&"$own_stderr"
    echo "The set-up stopped in step $step_number of $steps_total, $step_title. Run the same command again: it goes on from there." \
        >&"$own_stderr"
    exit 1
}

need() { command -v "$1" >/dev/null || { echo "$1 is missing: $2" >&2; return 1; }; }

refresh_lists() {
    need apt-get "the toolchains are made from Debian's packages"
    need dpkg-deb "it is part of Debian's package dpkg"
    need gcc "apt-get install gcc"
    need strip "it is part of Debian's package binutils, which gcc needs too"
    need cargo "install Rust 1.95 or newer"
    need node "install Node 20 or newer"
    need npm "it comes with Node"
    need setpriv "it is part of Debian's package util-linux"
    mkdir -p "$partial"/apt/{lists,cache}/partial
    # Lists and cache of its own: an ordinary user may not write those of the system.
    printf '%s\n' "Dir::State::lists \"$partial/apt/lists\";" "Dir::Cache \"$partial/apt/cache\";" 'APT::Sandbox::User "root";' \
        'Acquire::Retries "3";' >"$partial/apt/apt.conf"
    export APT_CONFIG=$partial/apt/apt.conf
    apt-get update -q | awk '/^Get:/ { print; fflush() }' | progress_of_lines "of 7 files, 14 MB together"
    progress "looking for the newest compilers"
    name_packages >"$partial/packages"
}

# Debian replaces rustc-web and LLVM with security updates, so the versions are asked for, not written down.
name_packages() {
    local rust llvm
    rust=$(apt-cache depends libstd-rust-web-dev | awk '/Depends: libstd-rust-web-/ {print $2}')
    [[ $rust ]] || { echo "no package libstd-rust-web-dev: the set-up needs Debian 12 with its security updates" >&2; return 1; }
    llvm=$(apt-cache depends "$rust" | sed -n 's/.*Depends: libllvm\([0-9]*\)$/\1/p')
    printf '%s\n' "clang-$llvm" "lld-$llvm" "libllvm$llvm" "libclang-cpp$llvm" "libclang-common-$llvm-dev" \
        "libclang-rt-$llvm-dev-wasm32" "libc++-$llvm-dev-wasm32" "libc++abi-$llvm-dev-wasm32" wasi-libc rustc-web rustfmt-web "clang-format-$llvm" "$rust" libstd-rust-web-dev rust-web-src bubblewrap \
        libjsmn-dev libstb-dev nlohmann-json3-dev
}

# A package that is gone was replaced by a newer one since the lists were read, so they are read again the next time.
fetch_packages() {
    export APT_CONFIG=$partial/apt/apt.conf
    local count bytes
    count=$(wc -l <"$partial/packages")
    bytes=$(xargs apt-get download -q --print-uris <"$partial/packages" | awk '{ sum += $3 } END { print sum + 0 }')
    rm -rf "$downloads" && mkdir -p "$downloads"
    (cd "$downloads" && xargs apt-get download -q <"$partial/packages") | watch_download "$count" "$bytes" ||
        { rm -f "$partial/done/lists"; return 1; }
}

# watch_download COUNT BYTES: tells what has arrived in $downloads for as long as stdin is open; a log gets a line for each package.
watch_download() {
    local ended=0 files told=-1
    until [[ $ended -eq 1 ]]; do
        read -r -t 0.5 && continue || [[ $? -gt 128 ]] || ended=1
        files=$(find "$downloads" -type f | wc -l)
        [[ -t 1 || $files -ne $told ]] || [[ $ended -eq 1 ]] || continue
        told=$files
        progress "$files of $1, $(megabytes "$(du -sb "$downloads" | cut -f1)") of $(megabytes "$2") MB"
    done
}

megabytes() { echo $((($1 + 500000) / 1000000)); }

unpack_packages() {
    local file count=0 total
    total=$(find "$downloads" -name '*.deb' | wc -l)
    rm -rf "$raw" "$partial/versions" && mkdir -p "$raw"
    for file in "$downloads"/*.deb; do
        count=$((count + 1))
        progress "$count of $total"
        case $file in
        # Of the compiler's source only the library is needed: 69 MB instead of 434.
        */rust-web-src*) dpkg-deb --fsys-tarfile "$file" | tar -x -C "$raw" --wildcards './usr/src/*/library/*' './usr/src/*/Cargo.lock' ;;
        *) dpkg-deb -x "$file" "$raw" ;;
        esac
        dpkg-deb -W --showformat='${Package} ${Version}\n' "$file" >>"$partial/versions"
    done
}

llvm_folder() { basename "$raw"/usr/lib/llvm-*; }

# The host's cargo drives the distribution's rustc; the dependencies of std are vendored in its source, so nothing is downloaded. Without std's
# feature `backtrace`: WebAssembly cannot walk its own stack, and four libraries less are kept.
build_std() {
    local source crates_total=18 cargo
    source=$(echo "$raw"/usr/src/rustc-*)
    cargo=$(rustup which cargo 2>/dev/null || command -v cargo)
    mkdir -p "$raw/usr/lib/rustlib/src" "$std/src" "$std/.cargo"
    ln -sfn "$source" "$raw/usr/lib/rustlib/src/rust"
    echo '#![no_std]' >"$std/src/lib.rs"
    printf '%s\n' '[package]' 'name = "seed"' 'version = "0.0.0"' 'edition = "2021"' '[profile.release]' 'panic = "abort"' \
        'codegen-units = 1' '[workspace]' >"$std/Cargo.toml"
    printf '%s\n' '[source.crates-io]' 'replace-with = "vendored"' '[source.vendored]' "directory = \"$source/library/vendor\"" \
        >"$std/.cargo/config.toml"
    (cd "$std" && env LD_LIBRARY_PATH="$host_libraries" CARGO_HOME="$partial/cargo" RUSTC="$raw/usr/bin/rustc" RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_DIR="$std/target" RUSTFLAGS="-Cdebuginfo=line-tables-only --remap-path-prefix=$source=/rustc --remap-path-prefix=$raw/usr/lib/rustlib/src/rust=/rustc" \
        "$cargo" build --offline --release -Zbuild-std=std,panic_abort -Zbuild-std-features=default --target $target 2>&1) |
        tee -a "$partial/errors" | awk '/Compiling/ { print ++n; fflush() }' |
        while read -r count; do progress "$count of $crates_total crates"; done
}

# Hard links, not copies: the packages' folder goes when the set-up is done.
assemble_root() {
    local llvm library
    llvm=$(llvm_folder)
    rm -rf "$ready"
    mkdir -p "$root"/{lib64,lib/x86_64-linux-gnu,proc,dev,tmp,job,src,out,asc} "$root"/usr/{bin,include,lib/x86_64-linux-gnu} \
        "$root/usr/lib/$llvm"/{bin,lib} "$root"/rust/{bin,lib}
    cp -al "$raw/usr/lib/$llvm"/bin/{clang,clang-format,lld,wasm-ld} "$root/usr/lib/$llvm/bin/"
    cp -al "$raw/usr/lib/$llvm/lib/clang" "$root/usr/lib/$llvm/lib/"
    cp -al "$raw/usr/lib/wasm32-wasi" "$root/usr/lib/"
    cp -al "$raw/usr/include/wasm32-wasi" "$root/usr/include/"
    # What the two folders before have of C++ are links into LLVM's own.
    mkdir -p "$root/usr/lib/$llvm/include"
    cp -al "$raw/usr/lib/$llvm/include/wasm32-wasi" "$root/usr/lib/$llvm/include/"
    cp -al "$raw/usr/lib/$llvm/lib/wasm32-wasi" "$root/usr/lib/$llvm/lib/"
    # Of no use here, 20 MB: headers for other processors, and a copy of the library for C++03.
    (cd "$root/usr/lib/$llvm"/lib/clang/*/include && rm -rf arm_* *intrin.h altivec.h amx* avx* *cuda* *hexagon* *hip* hlsl* lasx* lsx* msa.h \
        opencl* openmp_wrappers ppc_wrappers riscv* sifive* ve*)
    rm -rf "$root/usr/lib/$llvm/include/wasm32-wasi/c++/v1/__cxx03"
    cp -al "$raw"/usr/bin/{rustc,rustfmt} "$root/rust/bin/"
    cp "$raw/usr/bin/bwrap" "$ready/bwrap"
    cp -L "$(node -p process.execPath)" "$root/usr/bin/node"
    strip --strip-unneeded "$root/usr/bin/node"
    # Inside the jail of a server that is root, it turns a compiler into an ordinary user.
    cp -L "$(command -v setpriv)" "$root/usr/bin/setpriv"
    cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
    copy_libraries "$root/usr/lib/$llvm/bin/clang" "$root/usr/lib/$llvm/bin/lld" "$root/rust/bin/rustc" "$root/usr/bin/node" \
        "$root/usr/bin/setpriv"
    for library in "$root"/usr/lib/x86_64-linux-gnu/lib{z3,xml2}.so.*; do stand_in "$library"; done
    rm -f "$root"/usr/lib/x86_64-linux-gnu/lib{icudata,icuuc,lzma}.so.*
    copy_std
}

# stand_in LIBRARY: a library of the same name and symbols without code takes its place. LLVM is linked with a solver for its static analyser and
# with an XML parser for Windows' manifests, 58 MB with what they need; no option that the drivers give leads there, and a call would end the compiler.
stand_in() {
    local library=$1 source=$partial/stand_in
    symbols --undefined-only "$root"/usr/lib/x86_64-linux-gnu/lib{LLVM,clang-cpp}.so.* >"$source.wanted"
    symbols --defined-only "$library" | grep -Fxf "$source.wanted" >"$source.symbols"
    awk -F@ '{ print "void " $1 "(void) { __builtin_trap(); }" }' "$source.symbols" >"$source.c"
    # Where no symbol has a version, the script has no name in it.
    awk -F@ '$2 { if (!($2 in names)) order[++count] = $2; names[$2] = names[$2] $1 "; " }
        END { if (!count) print "{ global: *; };"; for (at = 1; at <= count; at++) print order[at] " { " names[order[at]] "};" }' "$source.symbols" >"$source.versions"
    gcc -shared -nostdlib -fno-builtin -w -Wl,-soname,"$(basename "$library")" -Wl,--version-script="$source.versions" "$source.c" -o "$library"
}

# NAME or NAME@VERSION of each dynamic symbol of these files that nm lists with an option.
symbols() {
    local option=$1
    shift
    nm --dynamic "$option" --format=posix "$@" | awk 'NF > 1 { sub("@@", "@", $1); print $1 }' | sort -u
}

# The C library's own files apart from the rest: the jail without namespaces runs under the host's loader, whose C library must match it.
copy_libraries() {
    local library
    LD_LIBRARY_PATH=$host_libraries ldd "$@" | awk '/not found/ { print $1 > "/dev/stderr"; bad = 1 } /=> \// { print $3 } END { exit bad }' |
        sort -u >"$partial/libraries"
    while read -r library; do
        case $(basename "$library") in
        libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so*) cp -L "$library" "$root/lib/x86_64-linux-gnu/" ;;
        librustc_driver*) cp -L "$library" "$root/rust/lib/" ;;
        *) cp -L "$library" "$root/usr/lib/x86_64-linux-gnu/" ;;
        esac
    done <"$partial/libraries"
}

copy_std() {
    local libraries=$root/rust/lib/rustlib/$target/lib
    mkdir -p "$libraries/self-contained"
    cp "$std/target/$target"/release/deps/lib*.rlib "$libraries/"
    # Procedural macros are compiled for the machine.
    rm -f "$libraries"/lib{seed,proc_macro}*
    cp -al "$raw"/usr/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$libraries/self-contained/"
}

install_assemblyscript() {
    rm -rf "$root/asc" "$partial/npm" && mkdir -p "$root/asc"
    cp "$here"/assemblyscript/{package.json,package-lock.json,.npmrc} "$root/asc/"
    local total
    total=$(grep -c '^    "node_modules/' "$root/asc/package-lock.json")
    # Its cache is empty, so each package is one archive to fetch.
    (cd "$root/asc" && npm ci --cache "$partial/npm" --no-progress --loglevel=http 2>&1 >/dev/null) | tee -a "$partial/errors" |
        awk '/http fetch GET 200 .*\.tgz/ { print; fflush() }' | progress_of_lines "of $total packages fetched"
    # Command line programs, source maps, and what lays out other languages, of no use here: 100 MB of 116.
    local modules=$root/asc/node_modules
    find "$modules" -name '*.map' -delete
    find "$modules/prettier" -type f ! -name package.json ! -name LICENSE ! -name standalone.mjs ! -name typescript.mjs ! -name estree.mjs -delete
    rm -rf "$partial/npm" "$root/asc/.npmrc" "$modules/binaryen/bin" "$modules/.bin"
    # Modules of AssemblyScript that programs import by name.
    mkdir "$root/asc/lib"
    mv "$modules/assemblyscript-json/assembly" "$root/asc/lib/assemblyscript-json"
    rm "$root/asc/lib/assemblyscript-json/tsconfig.json"
    echo "assemblyscript assemblyscript-json $(node -p "require('$modules/assemblyscript-json/package.json').version")" \
        "https://github.com/near/assemblyscript-json" >"$root/asc/libraries"
}

compile_stubs() {
    local source llvm
    llvm=$(llvm_folder)
    for source in stubs stack_guard; do
        in_root "usr/lib/$llvm/bin/clang" --target=wasm32-wasi -Wno-deprecated --sysroot="$root/usr" -O2 -ffunction-sections \
            -fno-builtin -c "$here/$source.c" -o "$root/usr/lib/wasm32-wasi/$source.o"
    done
}

# It names the headers that it was made of by their paths, so it is made where they are used: in the jail's root. Where that jail cannot run
# (no user namespaces) there is none, and C++ is compiled as slowly as it is without. Its options are the driver's, which clang insists on.
precompile_headers() {
    cp "$here/standard.hpp" "$root/usr/lib/wasm32-wasi/"
    rm -rf "$partial/precompiled" && mkdir "$partial/precompiled"
    "$ready/bwrap" --unshare-all --ro-bind "$root" / --bind "$partial/precompiled" /out --setenv LD_LIBRARY_PATH /usr/lib/x86_64-linux-gnu -- \
        "/usr/lib/$(llvm_folder)/bin/clang" --driver-mode=g++ --target=wasm32-wasi -Wno-deprecated -O2 -gline-tables-only -gdwarf-5 -std=c++20 \
        -fno-exceptions --sysroot=/usr -Xclang -fvalidate-ast-input-files-content -x c++-header /usr/lib/wasm32-wasi/standard.hpp \
        -o /out/standard.pch || { progress "none: this system has no user namespaces"; return 0; }
    mv "$partial/precompiled/standard.pch" "$root/usr/lib/wasm32-wasi/"
}

# in_root PROGRAM ARGS…: runs a program of the root without a jail, for the set-up's own sources.
in_root() {
    local program=$1
    shift
    LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/rust/lib PATH=$root/usr/bin "$root/$program" "$@"
}

check_languages() {
    local llvm check=$partial/check
    llvm=$(llvm_folder)
    rm -rf "$check" && mkdir -p "$check"
    progress "1 of 4, C"
    printf '#include <stdio.h>\nint main(void) { puts("hello"); }\n' >"$check/c.c"
    in_root "usr/lib/$llvm/bin/clang" --target=wasm32-wasi -Wno-deprecated --sysroot="$root/usr" -O2 -c "$check/c.c" -o "$check/c.o"
    in_root "usr/lib/$llvm/bin/wasm-ld" -L"$root/usr/lib/wasm32-wasi" "$root/usr/lib/wasm32-wasi/crt1-command.o" "$check/c.o" -lc \
        "$root/usr/lib/$llvm"/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a -o "$check/c.wasm"
    progress "2 of 4, C++"
    printf '#include <iostream>\nint main() { std::cout << "hello\\n"; }\n' >"$check/cpp.cpp"
    in_root "usr/lib/$llvm/bin/clang" --driver-mode=g++ --target=wasm32-wasi -Wno-deprecated --sysroot="$root/usr" -O2 \
        -std=c++20 -fno-exceptions -c "$check/cpp.cpp" -o "$check/cpp.o"
    in_root "usr/lib/$llvm/bin/wasm-ld" -L"$root/usr/lib/wasm32-wasi" "$root/usr/lib/wasm32-wasi/crt1-command.o" "$check/cpp.o" -lc++ -lc++abi -lc \
        "$root/usr/lib/$llvm"/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a -o "$check/cpp.wasm"
    progress "3 of 4, Rust"
    echo 'fn main() { println!("hello"); }' >"$check/rust.rs"
    in_root rust/bin/rustc --sysroot "$root/rust" --target $target -C linker="$root/usr/lib/$llvm/bin/wasm-ld" --edition 2024 \
        -C link-arg="$root/usr/lib/wasm32-wasi/stubs.o" "$check/rust.rs" -o "$check/rust.wasm"
    progress "4 of 4, AssemblyScript"
    echo 'export function add(a: i32, b: i32): i32 { return a + b; }' >"$check/as.ts"
    (cd "$check" && in_root usr/bin/node "$root/asc/node_modules/assemblyscript/bin/asc.js" as.ts -o as.wasm)
    local wasm
    for wasm in c cpp rust as; do
        [[ $(head -c4 "$check/$wasm.wasm" | od -An -tx1) == " 00 61 73 6d" ]] || { echo "$wasm.wasm is no WebAssembly" >&2; return 1; }
    done
}

# Where files have blocks of zeros, as the metadata of Rust's libraries has, the blocks go. File systems that cannot do that keep them.
dig_holes() {
    local file
    find "$ready" -type f -size +1M | while read -r file; do fallocate --dig-holes "$file" 2>/dev/null || true; done
}

write_stamp() {
    {
        echo "setup $setup_version"
        cat "$partial/versions"
        echo "node $(node --version)"
        echo "assemblyscript $(node -p "require('$root/asc/node_modules/assemblyscript/package.json').version")"
    } >"$ready/stamp"
}
