#include "engine/eval/restore.h"

#include "engine/dialog/context.h"

#include <chrono>
#include <cstdio>
#include <memory>

namespace engine {
namespace {

double secondsOf(const std::function<void()>& work)
{
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Segments one behind the other in a file that the system removes when it is closed.
class SegmentFile
{
public:
    explicit SegmentFile(const Context& context)
    {
        for (std::size_t index = 0; index < segmentCount(context); ++index) {
            const std::vector<std::byte> segment = writeSegment(context, index);
            if (!m_file ||
                std::fwrite(segment.data(), 1, segment.size(), m_file.get()) != segment.size()) {
                throw Error(ErrorCode::DiskFull,
                            "The temporary file for measuring a restore cannot be written. Free "
                            "some space, or leave that measurement out.");
            }
            m_ends.push_back(bytes() + segment.size());
        }
        std::fflush(m_file.get());
    }

    std::size_t bytes() const { return m_ends.empty() ? 0 : m_ends.back(); }
    std::size_t segments() const { return m_ends.size(); }

    std::vector<std::byte> read(std::size_t index) const
    {
        const std::size_t begin = index == 0 ? 0 : m_ends.at(index - 1);
        std::vector<std::byte> segment(m_ends.at(index) - begin);
        std::fseek(m_file.get(), static_cast<long>(begin), SEEK_SET);
        segment.resize(std::fread(segment.data(), 1, segment.size(), m_file.get()));
        return segment;
    }

private:
    struct Close
    {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> m_file{std::tmpfile()};
    std::vector<std::size_t> m_ends; // of each segment
};

SegmentFile store(KvStore entries)
{
    ContextInfo info;
    info.layers = entries.shape().layers;
    info.kvHeads = entries.shape().kvHeads;
    info.tokens = entries.rowCount();
    const std::vector<ByteRange> ranges(entries.rowCount());
    return SegmentFile(Context(info, std::move(entries), ranges, {}));
}

} // namespace

RestoreCost measureRestore(KvStore entries, Transformer& transformer)
{
    const KvShape shape = entries.shape();
    entries.pack(KvType::Kivi4, transformer.backend());
    const SegmentFile file = store(std::move(entries));
    const auto answer = [&](KvStore& tail) {
        Job job;
        job.tokens = {1};
        job.positions = {tail.nextPosition()};
        job.logits = LogitRows::Last;
        transformer.run(std::move(job), tail);
    };

    RestoreCost cost;
    cost.bytes = file.bytes();
    cost.readSeconds = secondsOf([&] {
        for (std::size_t index = 0; index < file.segments(); ++index)
            file.read(index);
    });
    KvStore tail(shape, KvType::F16);
    cost.restoreSeconds = secondsOf([&] {
        tail = readContext(shape, file.read(0), [&](std::size_t index) {
                   return file.read(index);
               })->store();
        answer(tail);
    });
    cost.decodeSeconds = secondsOf([&] { answer(tail); });
    return cost;
}

} // namespace engine
