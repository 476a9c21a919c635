# Fuzz targets of hub/: what clients send beyond JSON.
fed_fuzz_target(fuzz_schema SOURCES ${CMAKE_CURRENT_LIST_DIR}/schema_fuzz.c LINK hub_api fed_port_posix)
fed_fuzz_target(fuzz_protobuf SOURCES ${CMAKE_CURRENT_LIST_DIR}/protobuf_fuzz.c LINK hub_api fed_port_posix)
fed_fuzz_target(fuzz_crd SOURCES ${CMAKE_CURRENT_LIST_DIR}/crd_fuzz.c LINK hub_api fed_port_posix)
fed_fuzz_target(fuzz_kubefed SOURCES ${CMAKE_CURRENT_LIST_DIR}/kubefed_fuzz.c LINK hub_kubefed hub_store fed_object fed_port_posix)
fed_fuzz_target(fuzz_token SOURCES ${CMAKE_CURRENT_LIST_DIR}/token_fuzz.c LINK hub_access hub_store fed_object fed_port_sqlite fed_port_posix)
fed_fuzz_target(fuzz_fields SOURCES ${CMAKE_CURRENT_LIST_DIR}/fields_fuzz.c LINK hub_api fed_port_posix)
fed_fuzz_target(fuzz_field_selector SOURCES ${CMAKE_CURRENT_LIST_DIR}/field_selector_fuzz.c LINK hub_api fed_port_http fed_port_kube fed_port_posix)
fed_fuzz_target(fuzz_strategic SOURCES ${CMAKE_CURRENT_LIST_DIR}/strategic_fuzz.c LINK hub_api fed_port_http fed_port_kube fed_port_posix)
fed_fuzz_target(fuzz_zone SOURCES ${CMAKE_CURRENT_LIST_DIR}/zone_fuzz.c LINK hub_traffic fed_port_posix)
fed_fuzz_target(fuzz_rollout SOURCES ${CMAKE_CURRENT_LIST_DIR}/rollout_fuzz.c LINK hub_rollout_engine fed_port_posix)
fed_fuzz_target(fuzz_yaml SOURCES ${CMAKE_CURRENT_LIST_DIR}/yaml_fuzz.c LINK fed_port_kube fed_object)
fed_fuzz_target(fuzz_chain SOURCES ${CMAKE_CURRENT_LIST_DIR}/chain_fuzz.c LINK hub_access fed_port_posix)
# Whole requests. What the hub answers is looked at on its way to the port.
fed_fuzz_target(fuzz_api
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/api_fuzz.c ${CMAKE_CURRENT_LIST_DIR}/api_world.c ${CMAKE_CURRENT_LIST_DIR}/api_beginning.c
    LINK hub_api hub_store fed_port_http fed_port_kube fed_port_sqlite fed_port_posix)
target_link_options(fuzz_api PRIVATE
    -Wl,--wrap=fed_http_respond -Wl,--wrap=fed_http_respond_shared -Wl,--wrap=fed_http_stream_share
    -Wl,--wrap=fed_http_stream_end)
# What browsers send to the console.
fed_fuzz_target(fuzz_console SOURCES ${CMAKE_CURRENT_LIST_DIR}/console_fuzz.c
    LINK hub_console hub_api hub_status hub_plan hub_store fed_object fed_port_http fed_port_kube fed_port_posix)
