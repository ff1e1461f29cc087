#pragma once

namespace app {

/// Runs one command. Returns the exit code: 0, 1 (failed) or 2 (bad use).
int runCommandLine(int argc, char** argv);

} // namespace app
