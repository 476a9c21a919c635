# Fuzz targets of proto/: decode, then encode what was decoded.
foreach(name json override patch selector)
    fed_fuzz_target(fuzz_${name} SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}_fuzz.c LINK fed_object)
endforeach()
foreach(name frame report)
    fed_fuzz_target(fuzz_${name} SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}_fuzz.c LINK fed_bundle)
endforeach()
fed_fuzz_target(fuzz_link SOURCES ${CMAKE_CURRENT_LIST_DIR}/link_fuzz.c LINK fed_link)
fed_fuzz_target(fuzz_replicas SOURCES ${CMAKE_CURRENT_LIST_DIR}/replicas_fuzz.c LINK fed_schedule)
