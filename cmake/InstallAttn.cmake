# cmake --install, in three components that find_package(attn) knows as well:
# compiler (libattn.so, its headers and the mods of configs), runtime (to launch
# kernels, without LLVM) and tools. All of it may be moved afterwards.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/attn)
set(mods_dir ${CMAKE_INSTALL_DATADIR}/attn/mods)

# Targets of one component, where they exist here.
function(attn_install component)
  set(targets)
  foreach(target IN LISTS ARGN)
    if(TARGET ${target})
      list(APPEND targets ${target})
    endif()
  endforeach()
  if(NOT targets)
    return()
  endif()
  if(component STREQUAL tools) # where their LLVM is
    set_target_properties(${targets} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  endif()
  install(TARGETS ${targets} EXPORT attn-${component}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component})
  install(EXPORT attn-${component} NAMESPACE attn:: DESTINATION ${package_dir}
    COMPONENT ${component})
endfunction()

attn_install(compiler attn)
attn_install(runtime attn_runtime attn_runtime_shared)
attn_install(tools attn-bench attn-compile attn-opt attn-translate)

install(FILES ${PROJECT_SOURCE_DIR}/include/attn/attn.h
  ${PROJECT_SOURCE_DIR}/include/attn/attn.hpp
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/attn COMPONENT compiler)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/attn/CXX
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/attn COMPONENT compiler)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/attn/AOT
  ${PROJECT_SOURCE_DIR}/include/attn/Runtime
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/attn COMPONENT runtime)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs/mods/ DESTINATION ${mods_dir}
  COMPONENT compiler)
# Of both.
foreach(component compiler runtime)
  install(FILES ${PROJECT_SOURCE_DIR}/include/attn/API/Result.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/attn/API COMPONENT ${component})
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/attnConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/attnConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS mods_dir)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/attnConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
set(package_files ${PROJECT_BINARY_DIR}/package/attnConfig.cmake
  ${PROJECT_BINARY_DIR}/package/attnConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/AttnAddKernel.cmake)
foreach(component compiler runtime tools)
  install(FILES ${package_files} DESTINATION ${package_dir}
    COMPONENT ${component})
endforeach()

# Where the prefix is, as seen from the file.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
  BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/attn.pc.in
  ${PROJECT_BINARY_DIR}/package/attn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/attn.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT compiler)
