#include "app/cli/command_line.h"
#include "app/documents/import_worker.h"
#include "app/main/application.h"

#include <string_view>

int main(int argc, char** argv)
{
    // A worker confines itself to one file before anything else of the program exists.
    if (argc == 3 && std::string_view(argv[1]) == app::kImportWorkerArgument)
        return app::runImportWorker(argv[2]);
    if (app::wantsWindow(argc, argv))
        return app::runWindow(argc, argv);
    return app::runCommandLine(argc, argv);
}
