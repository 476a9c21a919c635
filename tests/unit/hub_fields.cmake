# Schemas and server-side apply, which need nothing of the server around them.
set(fields_dir ${CMAKE_CURRENT_LIST_DIR})
set(api_dir ${PROJECT_SOURCE_DIR}/hub/api)
fed_library(hub_fields_alone
    SOURCES ${api_dir}/managed_fields.c ${api_dir}/field_check.c ${api_dir}/field_entries.c ${api_dir}/field_scale.c ${api_dir}/field_set.c ${api_dir}/field_walk.c
        ${api_dir}/format.c ${api_dir}/go_text.c ${api_dir}/pattern.c ${api_dir}/schema.c ${api_dir}/schema_check.c
        ${api_dir}/schema_path.c ${api_dir}/schema_prune.c ${api_dir}/schema_scalar.c
    LINK fed_object fed_base)
fed_unit_test(hub_fields_test SOURCES ${fields_dir}/hub_fields_test.c LINK hub_fields_alone)
fed_unit_test(hub_fields_set_test SOURCES ${fields_dir}/hub_fields_set_test.c LINK hub_fields_alone)
fed_unit_test(hub_schema_test SOURCES ${fields_dir}/hub_schema_test.c LINK hub_fields_alone)
# Not a test of its own: tests/e2e/fields_oracle.py drives it next to a real API server.
fed_program(hub_fields_driver SOURCES ${fields_dir}/hub_fields_driver.c LINK hub_fields_alone)
