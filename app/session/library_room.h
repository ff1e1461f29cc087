#pragma once

#include "app/library/library.h"
#include "app/session/task_thread.h"

namespace app {

/// The thread that owns the library.
using LibraryThread = TaskThread<Library>;

} // namespace app
