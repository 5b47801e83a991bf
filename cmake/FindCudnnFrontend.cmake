# cudnn-frontend (header-only) with the headers of cuDNN and the CUDA runtime that
# it includes: the toolkit's, or what ./dev setup fetched. The libraries are
# loaded at run time, so nothing is linked.
#   CudnnFrontend_FOUND, target CudnnFrontend::CudnnFrontend
find_path(CudnnFrontend_INCLUDE_DIR cudnn_frontend.h
  PATHS ${ATTN_DEPS_DIR}/include)
find_path(CudnnFrontend_CUDNN_INCLUDE_DIR cudnn.h
  PATHS ${ATTN_DEPS_DIR}/include /usr/local/cuda/include)
find_path(CudnnFrontend_CUDART_INCLUDE_DIR cuda_runtime.h
  PATHS ${ATTN_DEPS_DIR}/include /usr/local/cuda/include)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CudnnFrontend REQUIRED_VARS
  CudnnFrontend_INCLUDE_DIR CudnnFrontend_CUDNN_INCLUDE_DIR
  CudnnFrontend_CUDART_INCLUDE_DIR)

if(CudnnFrontend_FOUND AND NOT TARGET CudnnFrontend::CudnnFrontend)
  add_library(CudnnFrontend::CudnnFrontend INTERFACE IMPORTED)
  target_include_directories(CudnnFrontend::CudnnFrontend INTERFACE
    ${CudnnFrontend_INCLUDE_DIR} ${CudnnFrontend_CUDNN_INCLUDE_DIR}
    ${CudnnFrontend_CUDART_INCLUDE_DIR})
  target_compile_definitions(CudnnFrontend::CudnnFrontend INTERFACE
    NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING CUDNN_FRONTEND_SKIP_JSON_LIB)
endif()
