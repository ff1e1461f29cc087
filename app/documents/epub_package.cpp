#include "app/documents/epub_package.h"

#include "app/documents/markup.h"
#include "app/documents/utf8.h"
#include "engine/error.h"

#include <algorithm>
#include <array>
#include <map>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

constexpr const char* kContainer = "META-INF/container.xml";
constexpr const char* kEncryption = "META-INF/encryption.xml";

/// Takes the first package file that the container names.
class ContainerVisitor : public MarkupVisitor
{
public:
    bool open(std::string_view name, const Attributes& attributes) override
    {
        if (name == "rootfile" && packagePath.empty())
            packagePath = resolveArchivePath("", attributes("full-path"));
        return true;
    }
    void close(std::string_view) override {}
    void text(std::string_view) override {}

    std::string packagePath;
};

/// Fonts are often scrambled in a way every reader may undo; any other method locks the text.
class EncryptionVisitor : public MarkupVisitor
{
public:
    bool open(std::string_view name, const Attributes& attributes) override
    {
        constexpr std::array<std::string_view, 2> kFontMethods = {
            "http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"};
        if (name == "encryptionmethod" &&
            std::ranges::find(kFontMethods, attributes("Algorithm")) == kFontMethods.end())
            locked = true;
        return name != "encryptedkey"; // describes the key, not a part of the book
    }
    void close(std::string_view) override {}
    void text(std::string_view) override {}

    bool locked = false;
};

struct ManifestItem
{
    std::string path;
    std::string mediaType;
};

class PackageVisitor : public MarkupVisitor
{
public:
    explicit PackageVisitor(std::string packagePath)
        : m_packagePath(std::move(packagePath))
    {}

    bool open(std::string_view name, const Attributes& attributes) override
    {
        if (name == "item") {
            ManifestItem item{resolveArchivePath(m_packagePath, attributes("href")),
                              std::string(attributes("media-type"))};
            if (attributes("properties").find("nav") != std::string_view::npos)
                package.navigation = item.path;
            if (item.mediaType == "application/x-dtbncx+xml")
                package.ncx = item.path;
            m_manifest.emplace(attributes("id"), std::move(item));
        } else if (name == "itemref") {
            m_spineIds.emplace_back(attributes("idref"));
        } else if (name == "title" && package.title.empty()) {
            m_collected = &package.title;
        } else if (name == "creator") {
            package.author += package.author.empty() ? "" : "; ";
            m_collected = &package.author;
        }
        return true;
    }

    void close(std::string_view name) override
    {
        if (name == "title" || name == "creator")
            m_collected = nullptr;
    }

    void text(std::string_view utf8) override
    {
        if (m_collected != nullptr)
            *m_collected += utf8;
    }

    void resolveSpine()
    {
        for (const std::string& id : m_spineIds) {
            const auto found = m_manifest.find(id);
            const bool readable = found != m_manifest.end() && !found->second.path.empty() &&
                                  found->second.mediaType.find("html") != std::string::npos;
            if (readable)
                package.spine.push_back(found->second.path);
            else
                package.hasUnreadableParts = true;
        }
    }

    EpubPackage package;

private:
    std::string m_packagePath;
    std::map<std::string, ManifestItem, std::less<>> m_manifest;
    std::vector<std::string> m_spineIds;
    std::string* m_collected = nullptr; // where the text of the open element goes, if it is wanted
};

void refuseProtected(ZipArchive& archive, const std::string& fileName)
{
    if (!archive.contains(kEncryption))
        return;
    EncryptionVisitor visitor;
    visitXml(archive.read(kEncryption), fileName, visitor);
    if (visitor.locked)
        throw Error(ErrorCode::Unsupported,
                    fileName +
                        " is copy-protected (DRM), so its text cannot be read. Only a copy without "
                        "protection can be imported.");
}

int hexDigit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percentDecoded(std::string_view text)
{
    std::string decoded;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const int high = text[at] == '%' && at + 2 < text.size() ? hexDigit(text[at + 1]) : -1;
        const int low = high >= 0 ? hexDigit(text[at + 2]) : -1;
        decoded.push_back(low >= 0 ? static_cast<char>(high * 16 + low) : text[at]);
        at += low >= 0 ? 2 : 0;
    }
    return decoded;
}

} // namespace

std::string resolveArchivePath(std::string_view base, std::string_view href)
{
    const std::string target = percentDecoded(href.substr(0, href.find('#')));
    if (target.find('\0') != std::string::npos || target.find("://") != std::string::npos)
        return {};
    const std::size_t slash = base.rfind('/');
    std::string joined(target.starts_with('/') || slash == std::string_view::npos
                           ? std::string_view()
                           : base.substr(0, slash + 1));
    joined += target;

    std::vector<std::string_view> parts;
    const std::string_view path = joined;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin);
        begin = end + 1;
        if (part == ".." && parts.empty())
            return {};
        if (part == "..")
            parts.pop_back();
        else if (!part.empty() && part != ".")
            parts.push_back(part);
    }
    std::string resolved;
    for (const std::string_view part : parts) {
        resolved += resolved.empty() ? "" : "/";
        resolved += part;
    }
    return resolved;
}

EpubPackage readEpubPackage(ZipArchive& archive, const std::string& fileName)
{
    if (!archive.contains(kContainer))
        throw Error(ErrorCode::Unsupported,
                    fileName +
                        " is an archive but not an EPUB book: it has no META-INF/container.xml.");
    refuseProtected(archive, fileName);
    ContainerVisitor container;
    visitXml(archive.read(kContainer), fileName, container);
    if (container.packagePath.empty() || !archive.contains(container.packagePath))
        throw Error(ErrorCode::Damaged,
                    fileName + " is damaged: the list of its parts is missing. Try "
                               "another copy of the book.",
                    container.packagePath);
    PackageVisitor visitor(container.packagePath);
    visitXml(archive.read(container.packagePath), fileName, visitor);
    visitor.resolveSpine();
    visitor.package.title = cleanLine(visitor.package.title, 1'000);
    visitor.package.author = cleanLine(visitor.package.author, 1'000);
    return std::move(visitor.package);
}

} // namespace app
