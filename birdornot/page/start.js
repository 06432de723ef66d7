// Browsers load no modules from a file: say what helps. (No module itself, so that it runs there.)
if (location.protocol === "file:") {
  document.getElementById("progress").hidden = true;
  document.getElementById("status").textContent = "A browser runs this page from a web server only. In this folder, "
    + "type: python -m http.server, then open http://localhost:8000";
}
