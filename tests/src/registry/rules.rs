use crate::suite::rules;

rules! {
    R1: "A connection that insert took is visited from then on, as its client and in the groups \
         that Connection::groups names at that moment, until remove returned.";
    R2: "insert refuses an id that is there already with RegistryError::Exists, and changes \
         nothing.";
    R3: "remove is the exact inverse of insert: it returns what it took out, None where there was \
         nothing, and leaves nothing behind, neither a client without connections nor a group \
         without members.";
    R4: "join and leave tell whether they changed anything. An unknown id is \
         RegistryError::Unknown. A change that returned is in effect for every later visit. A \
         group that is joined or left is the one of exactly that name, whatever else that name \
         means in a visit.";
    R5: "visit calls each once for each connection that the target's scope means and that is in \
         the group it is narrowed to, and for no other. Whom the target leaves out, and whether a \
         predicate holds, the hub sees to: Scope::Matching visits everybody.";
    R6: "visit is local, does no I/O and changes nothing: it runs inside the ordered section, for \
         every event, on any thread.";
    R7: "stats counts what visit would find.";
    R8: "A change whose future is dropped midway is done as a whole or not at all.";
    R9: "group_rule says which groups' events a member of a group gets: those for which visit finds \
         it. It is always the same.";
}
