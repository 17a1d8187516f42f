// No module: browsers load modules and WebAssembly from servers only, so this alone runs where the page was
// opened as a file.
if (location.protocol === "file:")
  addEventListener("DOMContentLoaded", () => {
    const said = document.getElementById("problem");
    said.hidden = false;
    said.textContent =
      "A browser starts this page's engine only where a server gives it out, not from a file. " +
      "In the folder of the site run python3 -m http.server, and open the address that it prints.";
    document.querySelector("header").after(said);
    for (const part of document.querySelectorAll("form, main, footer")) part.remove();
  });
