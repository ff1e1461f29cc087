#include "app/documents/import_worker.h"

#include "app/documents/document_builder.h"
#include "app/documents/document_reader.h"
#include "app/documents/file_name.h"
#include "app/documents/import_messages.h"
#include "app/documents/sha256.h"
#include "app/documents/worker_process.h"
#include "app/documents/worker_sandbox.h"
#include "engine/error.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

constexpr std::uint64_t kComputingSecondsPerPage = 60;

/// Libraries may print to standard output; the messages go where nobody else writes.
int takeOutput()
{
    std::signal(SIGPIPE, SIG_IGN);
    const int output = dup(STDOUT_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        close(nowhere);
    }
    return output;
}

void writeAll(int output, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t written = write(output, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR)
            throw Error(ErrorCode::Cancelled, "The program that asked for the document has gone.");
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
}

std::string onPage(const DocumentBuilder& builder)
{
    return " on page " + std::to_string(builder.pagesRead() + 1);
}

[[noreturn]] void refuseCrash(const std::string& name, const DocumentBuilder& builder,
                              const std::string& detail)
{
    throw Error(
        ErrorCode::Damaged,
        name + " could not be read: the reader stopped unexpectedly" + onPage(builder) +
            ". The file is probably damaged; saving it again from another program often helps.",
        detail);
}

/// Feeds all complete lines and keeps the rest.
void takeLines(std::string& buffer, MessageReader& reader)
{
    std::size_t begin = 0;
    for (std::size_t end = buffer.find('\n'); end != std::string::npos;
         end = buffer.find('\n', begin)) {
        reader.readLine(std::string_view(buffer).substr(begin, end - begin));
        begin = end + 1;
    }
    buffer.erase(0, begin);
    if (buffer.size() > kMaxMessageBytes)
        throw Error(ErrorCode::TooLarge, "A message of the reader is too long.");
}

/// The worker's sentences name the file themselves; what our own checks find does not.
[[noreturn]] void explain(const Error& error, const std::string& name,
                          const DocumentBuilder& builder)
{
    const std::string sentence = error.what();
    if (sentence.find(name) != std::string::npos)
        throw error;
    refuseCrash(name, builder, sentence + " " + error.detail());
}

} // namespace

int runImportWorker(const std::filesystem::path& file)
{
    const int output = takeOutput();
    confineWorker(file, kWorkerMemoryBytes);
    MessageWriter writer([output](const std::string& line) {
        writeAll(output, line);
        allowComputingFor(kComputingSecondsPerPage);
    });
    allowComputingFor(kComputingSecondsPerPage);
    try {
        try {
            readInto(file, writer);
            writer.finish();
        } catch (const Error& error) {
            writer.fail(error);
        }
    } catch (const std::exception&) {
        return 1; // nobody listens any more, or even the message needs more memory than there is
    }
    return 0;
}

ImportedDocument importInWorker(const std::filesystem::path& executable,
                                const std::filesystem::path& file,
                                const std::function<void(const ImportProgress&)>& onProgress,
                                std::stop_token stop, const WorkerLimits& limits)
{
    requireReadableFile(file);
    const std::string name = quotedName(file);
    DocumentBuilder builder(name, onProgress, stop);
    WorkerProcess worker(
        executable, {std::string(kImportWorkerArgument), std::filesystem::absolute(file).string()});
    MessageReader reader(builder);
    std::string buffer;
    while (!reader.isFinished()) {
        const WorkerProcess::ReadResult result = worker.read(buffer, limits.patience, stop);
        if (result == WorkerProcess::ReadResult::Stopped)
            builder.checkCancelled();
        if (result == WorkerProcess::ReadResult::Timeout)
            throw Error(ErrorCode::TooLarge,
                        name + " could not be read: the reader made no progress" + onPage(builder) +
                            " for " + std::to_string(limits.patience.count() / 1000) +
                            " seconds. Saving the file again from another program often helps.");
        if (result == WorkerProcess::ReadResult::End)
            refuseCrash(name, builder, worker.waitForEnd());
        try {
            takeLines(buffer, reader);
        } catch (const Error& error) {
            worker.kill();
            explain(error, name, builder);
        }
    }
    worker.kill();
    return builder.finish(sha256OfFile(file, stop)); // last: what is refused need not be hashed
}

} // namespace app
