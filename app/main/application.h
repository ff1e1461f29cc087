#pragma once

namespace app {

/// Opens the window, on the given files. Returns the exit code.
int runWindow(int argc, char** argv);

/// True when the arguments ask for the window: none at all, or only files that exist (and
/// --data-dir).
bool wantsWindow(int argc, char** argv);

} // namespace app
