# hub_core_vectors.jsonl is what tests/kube/vectors prints.
fed_unit_test(hub_core_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_core_test.c
    LINK hub_api hub_store fed_object fed_digest fed_port_kube fed_port_sqlite fed_port_posix fed_base)
