fed_unit_test(hub_rollout_engine_test SOURCES ${CMAKE_CURRENT_LIST_DIR} /
              hub_rollout_engine_test.c ${CMAKE_CURRENT_LIST_DIR} /
              hub_rollout_world.c LINK hub_rollout_engine fed_port_posix)
fed_unit_test(hub_rollout_property_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_rollout_property_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_rollout_sim.c
        ${CMAKE_CURRENT_LIST_DIR}/hub_rollout_world.c
    LINK hub_rollout_engine fed_port_posix)
fed_unit_test(hub_rollout_rules_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_rollout_rules_test.c
    LINK hub_rollout_engine fed_port_posix)
fed_unit_test(hub_rollout_memory_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_rollout_memory_test.c
    LINK hub_rollout_engine fed_port_posix)
