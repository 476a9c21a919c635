fed_unit_test(hub_rollout_engine_test SOURCES ${CMAKE_CURRENT_LIST_DIR} /
              hub_rollout_engine_test.c ${CMAKE_CURRENT_LIST_DIR} /
              hub_rollout_world.c LINK hub_rollout_engine fed_port_posix)
