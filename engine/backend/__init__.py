"""Where kernels run: the dialect, plain Python, Warp on the CPU and on CUDA."""
