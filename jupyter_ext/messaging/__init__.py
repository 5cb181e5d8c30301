"""Messages of the kernel: publishing, parent headers, interrupts, display updates."""
