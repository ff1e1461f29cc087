#include "engine/gguf/mapped_file.h"

#include "engine/error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace engine {
namespace {

/// A file descriptor that closes itself.
class Descriptor
{
public:
    // O_NONBLOCK: opening a pipe must fail below, not wait for a writer.
    explicit Descriptor(const std::filesystem::path& path)
        : m_number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))
    {}
    ~Descriptor()
    {
        if (m_number >= 0) {
            ::close(m_number);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int number() const { return m_number; }

private:
    int m_number;
};

[[noreturn]] void throwUnreadable(const std::filesystem::path& path, int error)
{
    const std::string name = path.filename().string();
    const std::string detail = path.string() + ": " + std::strerror(error);
    if (error == ENOENT || error == ENOTDIR) {
        throw Error(ErrorCode::NotFound,
                    "The file " + path.string() +
                        " is not there. Choose the model again, or restore the file.",
                    detail);
    }
    if (error == EACCES || error == EPERM) {
        throw Error(ErrorCode::NotFound,
                    name + " cannot be read: permission was denied. Give yourself read "
                           "permission for the file, or choose another one.",
                    detail);
    }
    throw Error(ErrorCode::NotFound,
                name + " cannot be read (" + std::strerror(error) +
                    "). Check the drive, or choose another file.",
                detail);
}

} // namespace

MappedFile::MappedFile(const std::filesystem::path& path)
{
    const Descriptor descriptor(path);
    if (descriptor.number() < 0) {
        throwUnreadable(path, errno);
    }
    struct stat status
    {};
    if (::fstat(descriptor.number(), &status) != 0) {
        throwUnreadable(path, errno);
    }
    const std::string name = path.filename().string();
    if (S_ISDIR(status.st_mode)) {
        throw Error(ErrorCode::Unsupported,
                    path.string() +
                        " is a folder, not a model file. Choose a file that ends in .gguf.");
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error(ErrorCode::Unsupported,
                    name + " is not an ordinary file. Choose a file that ends in .gguf.");
    }
    if (status.st_size == 0) {
        throw Error(ErrorCode::Damaged, name + " is empty. Download or copy the file again.");
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.number(), 0);
    if (address == MAP_FAILED) {
        throwUnreadable(path, errno);
    }
    m_bytes = {static_cast<const std::byte*>(address), size};
}

MappedFile::~MappedFile()
{
    // munmap takes a pointer to non-const although it changes nothing that we may see.
    ::munmap(const_cast<std::byte*>(m_bytes.data()), m_bytes.size());
}

} // namespace engine
