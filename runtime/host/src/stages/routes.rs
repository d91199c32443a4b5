//! Which model answers for a document: the one that its stage asks, or another one that the pipeline file sends it to.

use std::collections::BTreeMap;

use crate::condition::{Condition, ConditionError};
use crate::config::ModelPlan;
use crate::document::{Column, Document};

/// The routes of every model that has some.
#[derive(Debug, Default)]
pub(super) struct Routes {
    of: BTreeMap<String, Vec<(Condition, String)>>,
}

impl Routes {
    /// `columns` are all that a document may have.
    pub(super) fn new(models: &[ModelPlan], columns: &[Column]) -> Result<Self, ConditionError> {
        let mut of = BTreeMap::new();
        for model in models.iter().filter(|model| !model.routes.is_empty()) {
            let routes = model.routes.iter().map(|route| {
                let condition = Condition::parse(&route.when)?;
                condition.check(columns)?;
                Ok((condition, route.to.clone()))
            });
            of.insert(model.name.clone(), routes.collect::<Result<_, _>>()?);
        }
        Ok(Self { of })
    }

    /// The model in this one's place, if there is one for the document. A condition that cannot be computed for it does
    /// not fit: the model that was asked answers for whatever nobody else is meant to.
    pub(super) fn route(&self, model: &str, document: &Document) -> Option<&str> {
        let routes = self.of.get(model)?;
        let fits = |(condition, _): &&(Condition, String)| condition.holds(document).unwrap_or(false);
        routes.iter().find(fits).map(|(_, to)| to.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EndpointPlan, RoutePlan};
    use crate::document::{Field, Kind, Value};

    fn routes(routes: &[(&str, &str)]) -> Result<Routes, ConditionError> {
        let route = |(when, to): &(&str, &str)| RoutePlan { when: (*when).to_owned(), to: (*to).to_owned() };
        let model = ModelPlan::at("writer", EndpointPlan::new("http://h/v1", "big"));
        let model = ModelPlan { routes: routes.iter().map(route).collect(), ..model };
        Routes::new(&[model], &[Column { name: "language".to_owned(), kind: Kind::Text }])
    }

    fn document(language: Option<&str>) -> Document {
        let field = |name: &str| Field { name: "language".to_owned(), value: Value::Text(name.to_owned()) };
        Document {
            id: "1".to_owned(),
            url: String::new(),
            date: String::new(),
            text: String::new(),
            fields: language.map(field).into_iter().collect(),
            span: None,
            replies: Vec::new(),
        }
    }

    #[test]
    fn the_first_route_that_fits_decides_and_without_one_nothing_changes() {
        let table = routes(&[
            ("language == 'de'", "german"),
            ("size(text) / 0 == 1", "nobody"),
            ("language != 'en'", "other"),
        ]);
        let table = table.unwrap();
        assert_eq!(table.route("writer", &document(Some("de"))), Some("german"));
        assert_eq!(table.route("writer", &document(Some("fr"))), Some("other"));
        assert_eq!(table.route("writer", &document(Some("en"))), None);
        assert_eq!(table.route("judge", &document(Some("de"))), None);
        assert!(routes(&[("language ==", "german")]).is_err());
        assert!(routes(&[("language > 3", "german")]).is_err());
    }
}
