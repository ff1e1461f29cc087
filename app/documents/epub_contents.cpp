#include "app/documents/epub_contents.h"

#include "app/documents/epub_package.h"
#include "app/documents/markup.h"

namespace app {

namespace {

std::string fragmentOf(std::string_view href)
{
    const std::size_t hash = href.find('#');
    return hash == std::string_view::npos ? std::string() : std::string(href.substr(hash + 1));
}

class NavigationVisitor : public MarkupVisitor
{
public:
    explicit NavigationVisitor(std::string path)
        : m_path(std::move(path))
    {}

    bool open(std::string_view name, const Attributes& attributes) override
    {
        if (name == "nav")
            return attributes("epub:type").find("toc") != std::string_view::npos;
        if (name == "ol")
            ++m_level;
        if ((name == "a" || name == "span") && m_level >= 0 && !m_inLink) {
            const std::string_view href = attributes("href");
            links.push_back(
                {.title = {},
                 .level = m_level,
                 .path = href.empty() ? std::string() : resolveArchivePath(m_path, href),
                 .fragment = fragmentOf(href)});
            m_inLink = true;
            m_linkElement = name;
        }
        return true;
    }

    void close(std::string_view name) override
    {
        if (name == "ol")
            --m_level;
        if (m_inLink && name == m_linkElement)
            m_inLink = false;
    }

    void text(std::string_view utf8) override
    {
        if (m_inLink)
            links.back().title += utf8;
    }

    std::vector<ContentsLink> links;

private:
    std::string m_path;
    int m_level = -1;
    bool m_inLink = false;
    std::string m_linkElement;
};

class NcxVisitor : public MarkupVisitor
{
public:
    explicit NcxVisitor(std::string path)
        : m_path(std::move(path))
    {}

    bool open(std::string_view name, const Attributes& attributes) override
    {
        if (name == "navpoint") {
            links.push_back({.title = {},
                             .level = static_cast<int>(m_open.size()),
                             .path = {},
                             .fragment = {}});
            m_open.push_back(links.size() - 1);
        } else if (name == "text") {
            m_inText = true;
        } else if (name == "content" && !m_open.empty()) {
            links[m_open.back()].path = resolveArchivePath(m_path, attributes("src"));
            links[m_open.back()].fragment = fragmentOf(attributes("src"));
        }
        return name != "pagelist" && name != "navlist";
    }

    void close(std::string_view name) override
    {
        if (name == "navpoint" && !m_open.empty())
            m_open.pop_back();
        else if (name == "text")
            m_inText = false;
    }

    void text(std::string_view utf8) override
    {
        if (m_inText && !m_open.empty())
            links[m_open.back()].title += utf8;
    }

    std::vector<ContentsLink> links;

private:
    std::string m_path;
    std::vector<std::size_t> m_open; // indices of the points around the present place
    bool m_inText = false;
};

} // namespace

std::vector<ContentsLink> readNavigationPage(std::string_view bytes, const std::string& path)
{
    NavigationVisitor visitor(path);
    visitMarkup(bytes, "The table of contents", visitor);
    return std::move(visitor.links);
}

std::vector<ContentsLink> readNcx(std::string_view bytes, const std::string& path)
{
    NcxVisitor visitor(path);
    visitXml(bytes, "The table of contents", visitor);
    return std::move(visitor.links);
}

} // namespace app
