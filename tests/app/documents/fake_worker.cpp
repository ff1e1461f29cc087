// Stands in for the program in the tests of the worker process: reads documents as the program
// does, and plays a reader that a hostile file has taken over when the file's first line says so.

#include "app/documents/import_messages.h"
#include "app/documents/import_worker.h"
#include "app/documents/worker_sandbox.h"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {

app::MessageWriter makeWriter()
{
    return app::MessageWriter([](const std::string& line) {
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fflush(stdout);
    });
}

void sendPages(app::MessageWriter& writer, int pages)
{
    writer.begin({.kind = app::DocumentKind::Text,
                  .title = "Played",
                  .author = {},
                  .detectedEncoding = {},
                  .pagesTotal = 20});
    for (int page = 0; page < pages; ++page) {
        app::PageContent content;
        content.text = "Words of a page.\n";
        content.page.range = {0, static_cast<std::uint32_t>(content.text.size())};
        writer.addPage(content);
    }
}

void crash()
{
    app::MessageWriter writer = makeWriter();
    sendPages(writer, 11);
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
}

void hang()
{
    app::MessageWriter writer = makeWriter();
    sendPages(writer, 2);
    for (;;)
        pause();
}

void print(const std::string& text)
{
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void overlap()
{
    app::MessageWriter writer = makeWriter();
    sendPages(writer, 1);
    print(R"({"page":{"label":"2","text":"abc","width":100,"height":100,"blank":false,)"
          R"("words":[0,2,0,0,1,1,1,3,0,0,1,1]}})"
          "\n");
}

void endlessLine()
{
    const std::string piece(1 << 20, '[');
    for (int i = 0; i < 64; ++i)
        print(piece);
}

/// Reports as warnings what the confinement still lets through.
void escape(const std::string& file)
{
    const app::Confinement confinement = app::confineWorker(file, app::kWorkerMemoryBytes);
    app::MessageWriter writer = makeWriter();
    sendPages(writer, 1);
    writer.addWarning(std::string("files ") + (confinement.filesLocked ? "locked" : "open"));
    writer.addWarning(std::string("system ") + (confinement.systemLocked ? "locked" : "open"));
    writer.addWarning(std::string("passwd ") +
                      (open("/etc/passwd", O_RDONLY) < 0 ? "refused" : "read"));
    writer.addWarning(std::string("document ") +
                      (open(file.c_str(), O_RDONLY) < 0 ? "refused" : "read"));
    writer.addWarning(
        std::string("write ") +
        (open((file + ".out").c_str(), O_WRONLY | O_CREAT, 0600) < 0 ? "refused" : "made"));
    writer.addWarning(std::string("socket ") +
                      (socket(AF_INET, SOCK_STREAM, 0) < 0 ? "refused" : "opened"));
    writer.finish();
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3 || argv[1] != app::kImportWorkerArgument)
        return 2;
    const std::string file = argv[2];
    std::string role;
    std::getline(std::ifstream(file), role);

    const std::map<std::string, std::function<void()>> roles = {
        {"play crash", crash},
        {"play hang", hang},
        {"play silence", [] {}},
        {"play noise", [] { print("{\"page\": oops}\n"); }},
        {"play depth", [] { print("{\"outline\":" + std::string(1000, '[') + "\n"); }},
        {"play overlap", overlap},
        {"play endless line", endlessLine},
        {"play escape", [&file] { escape(file); }},
    };
    const auto found = roles.find(role);
    if (found == roles.end())
        return app::runImportWorker(file);
    found->second();
    return 0;
}
