# Libraries for C and C++ programs, compiled once; sourced by `steps.sh`. A program has one by its #include alone: objects are handed to each link, and
# wasm-ld takes those whose symbols are missing otherwise. $libraries_list says what there is: language, header, version and documentation.
libraries_here=$here/libraries
libraries_list=usr/lib/wasm32-wasi/libraries
library_flags=(--target=wasm32-wasi -Wno-deprecated -O2 -ffunction-sections -w)

compile_libraries() {
    rm -f "$root/$libraries_list"
    progress "1 of 3, headers"
    copy_headers
    progress "2 of 3, stb_image"
    compile_stb
    progress "3 of 3, zlib"
    compile_zlib
}

# Debian's packages of these have headers alone, in which all of the library is.
copy_headers() {
    local headers=$root/usr/include/wasm32-wasi
    cp -r "$raw"/usr/include/jsmn.h "$raw"/usr/include/nlohmann "$raw"/usr/include/stb/stb_image{,_write}.h "$headers/"
    add_library c jsmn.h "$(debian_version libjsmn-dev)" https://zserge.com/jsmn/
    add_library cpp nlohmann/json.hpp "$(debian_version nlohmann-json3-dev)" https://json.nlohmann.me/
}

# The headers declare; the bodies are compiled here, unless a program asks for them in one of its own files.
compile_stb() {
    local name letters
    for name in stb_image stb_image_write; do
        letters=${name^^}
        printf '#define %s_IMPLEMENTATION\n#define STBI_NO_THREAD_LOCALS\n#include <%s.h>\n' "$letters" "$name" >"$partial/$name.c"
        in_root "usr/lib/$(llvm_folder)/bin/clang" "${library_flags[@]}" --sysroot="$root/usr" -c "$partial/$name.c" -o "$root/usr/lib/wasm32-wasi/$name.o"
        add_library c $name.h "$(sed -n "1s/.* - v\([0-9.]*\).*/\1/p" "$root/usr/include/wasm32-wasi/$name.h")" https://github.com/nothings/stb
    done
}

compile_zlib() {
    local cargo source file objects=() headers=$root/usr/include/wasm32-wasi
    cargo=$(rustup which cargo 2>/dev/null || command -v cargo)
    rm -rf "$partial/vendor" "$partial/zlib" && mkdir "$partial/zlib"
    "$cargo" vendor --locked --versioned-dirs --manifest-path "$libraries_here/Cargo.toml" "$partial/vendor" >/dev/null
    source=$(echo "$partial"/vendor/libz-sys-*/src/zlib)
    for file in adler32 compress crc32 deflate gzclose gzlib gzread gzwrite infback inffast inflate inftrees trees uncompr zutil; do
        objects+=("$partial/zlib/$file.o")
        in_root "usr/lib/$(llvm_folder)/bin/clang" "${library_flags[@]}" --sysroot="$root/usr" -DHAVE_UNISTD_H -c "$source/$file.c" -o "$partial/zlib/$file.o"
    done
    in_root "usr/lib/$(llvm_folder)/bin/wasm-ld" -r "${objects[@]}" -o "$root/usr/lib/wasm32-wasi/zlib.o"
    cp "$source"/z{lib,conf}.h "$headers/"
    add_library c zlib.h "$(sed -n 's/^#define ZLIB_VERSION "\([0-9.]*\).*/\1/p' "$headers/zlib.h")" https://zlib.net/manual.html
    rm -rf "$partial/vendor"
}

# The upstream version of a package that was unpacked.
debian_version() { awk -v package="$1" '$1 == package { sub("^[0-9]*:", "", $2); sub("-.*", "", $2); print $2 }' "$partial/versions"; }

# add_library LANGUAGE HEADER VERSION LINK
add_library() { printf '%s %s %s %s\n' "$@" >>"$root/$libraries_list"; }
