"use strict";
(function () {
  var list = document.getElementById("reviews");
  var more = document.querySelector("button.more");
  var offset = 0;

  function add(parent, tag, name, text) {
    var element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function draw(review) {
    var article = document.createElement("article");
    article.className = "review";
    article.dataset.id = review.id;
    add(article, "h2", "title", review.title);
    add(article, "span", "stars", "★".repeat(review.stars)).dataset.rating = review.stars;
    add(article, "p", "text", review.text);
    var meta = add(article, "p", "meta", "");
    add(meta, "span", "author", review.author);
    meta.appendChild(document.createTextNode(" · "));
    add(meta, "time", "when", new Date(review.at).toLocaleString("uk")).setAttribute("datetime", review.at);
    meta.appendChild(document.createTextNode(" · "));
    add(meta, "a", "permalink", "посилання").setAttribute("href", review.url);
    list.appendChild(article);
  }

  function load() {
    more.hidden = true;
    fetch("/api/reviews.json?offset=" + offset + "&limit=12").then(function (answer) { return answer.json(); }).then(function (page) {
      var loading = list.querySelector(".loading");
      if (loading) { loading.remove(); }
      page.reviews.forEach(draw);
      offset += page.reviews.length;
      more.hidden = offset >= page.total;
    });
  }

  more.addEventListener("click", load);
  setTimeout(load, 150);
})();
