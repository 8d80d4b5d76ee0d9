use example_support::Asset;

pub(crate) fn files() -> [Asset; 4] {
    [
        Asset::base_style(),
        Asset::new("/", include_str!("../page/index.html")),
        Asset::new("/style.css", include_str!("../page/style.css")),
        Asset::new("/app.js", include_str!("../page/app.js")),
    ]
}
