"""tests/report/webdriver.py: a browser, by WebDriver's own HTTP (W3C), with the standard library alone"""
import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
WAIT = 180  # seconds; a slow machine is no error


class Browser:
    """Headless Chromium with a profile of its own; a context manager, so that it ends in any case."""

    def __init__(self, width=1280, height=900):
        self.size = (width, height)

    def __enter__(self):
        self.profile = tempfile.mkdtemp()
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        try:
            self.url = "http://127.0.0.1:" + self._port()
            self.session = None
            self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": self._wanted()}})["sessionId"]
            self.url += "/session/" + self.session
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if getattr(self, "session", None):
                self._call("DELETE", "")
        except (OSError, RuntimeError):
            pass
        self.driver.terminate()
        try:
            self.driver.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        self.driver.stdout.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _port(self):
        for line in self.driver.stdout:
            words = line.split("started successfully on port ")
            if len(words) == 2:
                return words[1].strip(" .\n")
        raise RuntimeError("chromedriver didn't start")

    def _wanted(self):
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1",
                   "--user-data-dir=" + self.profile, "--window-size=%d,%d" % self.size]
        return {"browserName": "chrome", "goog:chromeOptions": {"args": options},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}

    def _call(self, method, path, body=None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def script(self, text, *arguments):
        return self._call("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def find(self, selector):
        return self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self._call("POST", "/element/%s/click" % self.find(selector))

    def keys(self, selector, text):
        self._call("POST", "/element/%s/value" % self.find(selector), {"text": text})

    def pointer(self, selector, *steps):
        """Each step is ("move", x, y) by the element's left top, "down" or "up"."""
        self.script("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        box = self.script("const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                          "return [b.left, b.top]", selector)
        actions = []
        for step in steps:
            if step[0] == "move":
                actions.append({"type": "pointerMove", "duration": 20, "x": round(box[0] + step[1]),
                                "y": round(box[1] + step[2])})
            else:
                actions.append({"type": "pointerDown" if step == "down" else "pointerUp", "button": 0})
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def wait(self, condition):
        """Until the script's expression is true."""
        end = time.monotonic() + WAIT
        while not self.script("return !!(" + condition + ")"):
            if time.monotonic() > end:
                raise RuntimeError("never so: " + condition)
            time.sleep(0.05)

    def complaints(self):
        """What was said on the console since the last time."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def requests(self):
        """The addresses that were asked for since the last time, but for the page's own, data's and those of
        the browser's own first page."""
        asked = []
        for entry in self._call("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:", "chrome:"))]

    def set_dark(self, dark):
        """What the system prefers."""
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}})

    def metrics(self, width, height):
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def screenshot(self, file):
        with open(file, "wb") as out:
            out.write(base64.b64decode(self._call("GET", "/screenshot")))

    def element_screenshot(self, selector, file):
        with open(file, "wb") as out:
            out.write(base64.b64decode(self._call("GET", "/element/%s/screenshot" % self.find(selector))))
