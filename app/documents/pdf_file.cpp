#include "app/documents/pdf_file.h"

#include "app/documents/file_name.h"
#include "engine/error.h"

#include <fcntl.h>
#include <unistd.h>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

class FileDescriptor
{
public:
    explicit FileDescriptor(const std::filesystem::path& file)
        : m_number(open(file.c_str(), O_RDONLY | O_CLOEXEC))
    {}
    ~FileDescriptor()
    {
        if (m_number >= 0)
            close(m_number);
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    int number() const { return m_number; }

private:
    int m_number;
};

} // namespace

std::unique_ptr<Poppler::Document> openPdf(const std::filesystem::path& file)
{
    Poppler::setDebugErrorFunction([](const QString&, const QVariant&) {}, QVariant());
    const FileDescriptor descriptor(file);
    if (descriptor.number() < 0)
        throw Error(ErrorCode::NotFound, quotedName(file) + " could not be opened for reading.",
                    file.string());
    // A QString cannot carry every file name, the number of a descriptor is always ASCII.
    auto document =
        Poppler::Document::load(QStringLiteral("/proc/self/fd/%1").arg(descriptor.number()));
    if (!document)
        throw Error(ErrorCode::Damaged, quotedName(file) +
                                            " is not a readable PDF: it is damaged or was cut "
                                            "short. Try another copy of it.");
    if (document->isLocked())
        throw Error(ErrorCode::Unsupported,
                    quotedName(file) +
                        " is protected with a password. Save a copy without password from a PDF "
                        "viewer and import the copy.");
    if (document->numPages() <= 0)
        throw Error(ErrorCode::Damaged,
                    quotedName(file) +
                        " is a PDF without any page; it is probably damaged. Try another copy.");
    document->setRenderHint(Poppler::Document::Antialiasing, true);
    document->setRenderHint(Poppler::Document::TextAntialiasing, true);
    return document;
}

} // namespace app
