# Fuzz targets of hub/: what clients send beyond JSON.
fed_fuzz_target(fuzz_schema SOURCES ${CMAKE_CURRENT_LIST_DIR}/schema_fuzz.c LINK hub_api fed_port_posix)
fed_fuzz_target(fuzz_protobuf SOURCES ${CMAKE_CURRENT_LIST_DIR}/protobuf_fuzz.c LINK hub_api fed_port_posix)
fed_fuzz_target(fuzz_crd SOURCES ${CMAKE_CURRENT_LIST_DIR}/crd_fuzz.c LINK hub_api fed_port_posix)
