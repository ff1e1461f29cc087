#include "app/cli/command_line.h"
#include "app/documents/import_worker.h"

#include <string_view>

int main(int argc, char** argv)
{
    // A worker confines itself to one file before anything else of the program exists.
    if (argc == 3 && std::string_view(argv[1]) == app::kImportWorkerArgument)
        return app::runImportWorker(argv[2]);
    return app::runCommandLine(argc, argv);
}
