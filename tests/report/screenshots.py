"""tests/report/screenshots.py PAGES FOLDER: machine.html and run.html of PAGES as pictures report*.png in FOLDER"""
import os
import sys

from webdriver import Browser

pages, folder = map(os.path.abspath, sys.argv[1:])
SECTIONS = {
    "machine": ["map", "use", "free", "fragmentation", "faults", "swap", "processes", "areas", "slab"],
    "run": ["heap"],
}


def opened(browser, name, width, height, dark):
    browser.metrics(width, height)
    browser.set_dark(dark)
    browser.open("file://%s/%s.html" % (pages, name))
    browser.wait("document.documentElement.dataset.ready")


def main():
    with Browser() as browser:
        for dark, name in ((False, "report.png"), (True, "report-dark.png")):
            opened(browser, "machine", 1200, 1000, dark)
            browser.screenshot(os.path.join(folder, name))
        opened(browser, "machine", 600, 900, True)
        browser.screenshot(os.path.join(folder, "report-narrow.png"))
        for page, sections in SECTIONS.items():
            if not os.path.exists(os.path.join(pages, page + ".html")):
                continue
            opened(browser, page, 1000, 900, False)
            # A section alone, without the paper around it.
            browser.script("document.body.style.padding = '0'")
            for section in sections:
                browser.script("document.getElementById(arguments[0]).style.cssText = 'border:0;margin:0;padding:12px 16px'", section)
                browser.element_screenshot("#" + section, os.path.join(folder, "report-%s.png" % section))


main()
