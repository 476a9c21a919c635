# embed.cmake - writes a C file with the content of one file: cmake -DOUT=FILE -DIN=FILE -P embed.cmake
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "    \\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "#include \"hub/access/bootstrap.h\"\n\nconst unsigned char hub_access_bootstrap_text[] = {\n${bytes}\n};
const size_t hub_access_bootstrap_size = sizeof hub_access_bootstrap_text;\n")
